"""The ban as a policy of the Android Management API.

`applications` block in the work profile, and on the whole of a fully managed device;
`personalUsagePolicies` block on the personal side of company-owned devices only: that of a personal
device is its owner's. `applicationReportsEnabled` lets `sync` see what is installed. (Discovery
document of the API, schema Policy.)
"""

from __future__ import annotations

import json

from domicile.devices.policy.ingredients import Ingredients, some

MOST = 3_000
"""The most elements that `applications` takes."""


def policy(given: Ingredients) -> str:
    """The parts of a policy, to be patched into it. Raises UsageError.

    PATCH v1/{policy}?updateMask=personalUsagePolicies,statusReportingSettings replaces these two;
    `applications` is for `modifyPolicyApplications`, or for a policy that has no others.
    """
    apps = some(given.ban.identifiers("android"), "app on android", most=MOST, of="the service")
    blocked = [{"packageName": app, "installType": "BLOCKED"} for app in apps]
    document = {
        "applications": blocked,
        "personalUsagePolicies": {
            "personalPlayStoreMode": "BLOCKLIST",
            "personalApplications": blocked,
        },
        "statusReportingSettings": {"applicationReportsEnabled": True},
    }
    return json.dumps(document, indent=2) + "\n"
