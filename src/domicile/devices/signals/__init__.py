"""Security events about devices, sent and taken: CAEP's device-compliance-change."""
