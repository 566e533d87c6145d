"""Tests of `domicile.stores`; the shipped suite's assertions are shown in full."""

import pytest

pytest.register_assert_rewrite("domicile.stores.conformance")
