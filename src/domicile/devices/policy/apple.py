"""The ban as a configuration profile of Apple's: the Restrictions payload.

`blockedAppBundleIDs` hides the apps and does not let them start; it removes nothing. It works on
supervised iPhones and iPads with iOS 15 or later, not in User Enrollment, and not on a Mac. (Apple,
"Restrictions", payload com.apple.applicationaccess; superseded in iOS 27 by the declaration
com.apple.configuration.app.settings.)
"""

from __future__ import annotations

import plistlib

from domicile.devices.policy.ingredients import Ingredients, some

LIMITS = (
    "Works on supervised devices with iOS or iPadOS 15 or later. Not in User Enrollment, and not"
    " on a Mac. It hides the apps and does not let them start; it does not remove them."
)

NAME = "domicile.devices.ban"


def profile(given: Ingredients) -> str:
    """A .mobileconfig, unsigned, for a management server to install. Raises UsageError."""
    apps = some(given.ban.identifiers("ios"), "app on ios")
    restrictions = {
        "PayloadType": "com.apple.applicationaccess",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{NAME}.restrictions",
        "PayloadUUID": given.uuid("restrictions"),
        "PayloadDisplayName": given.title,
        "blockedAppBundleIDs": apps,
    }
    document = {
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": NAME,
        "PayloadUUID": given.uuid("profile"),
        "PayloadDisplayName": given.title,
        "PayloadDescription": f"{given.label}. {LIMITS}",
        "PayloadOrganization": given.estate,
        "PayloadScope": "System",
        "PayloadContent": [restrictions],
    }
    return plistlib.dumps(document).decode()
