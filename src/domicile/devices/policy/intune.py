"""The ban as a compliance policy of Intune for iOS.

`restrictedApps` matches bundle identifiers and sees apps that the institution did not install, so
it covers personal devices too, and Intune tells nobody which other apps there are. A device that
has one is not compliant at once. For POST /beta/deviceManagement/deviceCompliancePolicies, then
assigned to groups. (Microsoft Graph beta, iosCompliancePolicy and appListItem.)
"""

from __future__ import annotations

import json

from domicile.devices.policy.ingredients import Ingredients, some

MOST = 100
"""The most elements that `restrictedApps` takes."""


def policy(given: Ingredients) -> str:
    """The policy as JSON. Raises UsageError."""
    apps = some(given.ban.identifiers("ios"), "app on ios", most=MOST, of="Intune")
    document = {
        "@odata.type": "#microsoft.graph.iosCompliancePolicy",
        "displayName": given.title,
        "description": given.label,
        "restrictedApps": [
            {"@odata.type": "#microsoft.graph.appListItem", "name": app, "appId": app}
            for app in apps
        ],
        # Intune refuses a policy that says not what follows.
        "scheduledActionsForRule": [
            {
                "ruleName": "PasswordRequired",
                "scheduledActionConfigurations": [{"actionType": "block", "gracePeriodHours": 0}],
            }
        ],
    }
    return json.dumps(document, indent=2) + "\n"
