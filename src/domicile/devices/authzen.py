"""Services that ask by themselves: the OpenID Authorization API 1.0 (AuthZEN).

    POST /access/v1/evaluation      one question
    POST /access/v1/evaluations     several, with what they share said once
    GET  /.well-known/authzen-configuration

A `subject` of type `user` names its device in `properties.device_id`; one of type `device` is the
device itself, and may name its user in `properties.user`. The `resource`'s id is the service. Who
asks answers for the device: it knows it by a certificate, not by what the client says of itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from domicile.devices.table import Decision, Request

EVALUATION = "/access/v1/evaluation"
EVALUATIONS = "/access/v1/evaluations"
CONFIGURATION = "/.well-known/authzen-configuration"

Semantic = Literal["execute_all", "deny_on_first_deny", "permit_on_first_permit"]

_ENDS: dict[str, bool | None] = {
    "execute_all": None, "deny_on_first_deny": False, "permit_on_first_permit": True
}  # fmt: skip
"""The decision that ends a list."""

Decide = Callable[[Request], Decision]
Context = Callable[[Decision], dict[str, Any]]
"""What is said of a decision beside yes or no."""


class _Properties(msgspec.Struct):
    device_id: str = ""
    user: str = ""


class _Subject(msgspec.Struct):
    type: str
    id: str
    properties: _Properties = msgspec.field(default_factory=_Properties)


class _Action(msgspec.Struct):
    name: str


class _Resource(msgspec.Struct):
    type: str
    id: str


class _Asked(msgspec.Struct):
    subject: _Subject
    action: _Action
    resource: _Resource
    context: dict[str, Any] = {}


class _Options(msgspec.Struct):
    evaluations_semantic: Semantic = "execute_all"


class _Several(msgspec.Struct):
    evaluations: list[dict[str, Any]] = []
    options: _Options = msgspec.field(default_factory=_Options)


_ONE = msgspec.json.Decoder(_Asked)
_SHARED = msgspec.json.Decoder(dict[str, Any])


def evaluation(body: bytes, decide: Decide, context: Context) -> bytes:
    """The answer to one question. Raises msgspec.DecodeError for what is none."""
    return msgspec.json.encode(_answer(_ONE.decode(body), decide, context))


def evaluations(body: bytes, decide: Decide, context: Context) -> bytes:
    """The answers to several, in their order, up to the first that ends them.

    An item that is no question is answered with no and an error. Raises msgspec.DecodeError.
    """
    shared = _SHARED.decode(body)
    several = msgspec.convert(shared, _Several)
    if not several.evaluations:  # as one question (AuthZEN 1.0, Access Evaluations API)
        return evaluation(body, decide, context)
    common = {key: shared[key] for key in ("subject", "action", "resource", "context")
              if key in shared}  # fmt: skip
    ends = _ENDS[several.options.evaluations_semantic]
    answers: list[dict[str, Any]] = []
    for item in several.evaluations:
        try:
            answer = _answer(msgspec.convert(common | item, _Asked), decide, context)
        except msgspec.ValidationError as error:
            said: dict[str, Any] = {"status": 400, "message": str(error)}
            answer = {"decision": False, "context": {"error": said}}
        answers.append(answer)
        if answer["decision"] is ends:
            break
    return msgspec.json.encode({"evaluations": answers})


def _answer(asked: _Asked, decide: Decide, context: Context) -> dict[str, Any]:
    decision = decide(_request(asked))
    return {"decision": decision.allowed, "context": context(decision)}


def _request(asked: _Asked) -> Request:
    subject = asked.subject
    for name, text in (("subject", subject.type), ("subject", subject.id),
                       ("action", asked.action.name), ("resource", asked.resource.type),
                       ("resource", asked.resource.id)):  # fmt: skip
        if not text:
            raise msgspec.ValidationError(f"Expected names of length >= 1 - at `$.{name}`")
    if subject.type == "device":
        return Request(subject.id, subject.properties.user, asked.resource.id)
    if subject.type == "user":
        return Request(subject.properties.device_id, subject.id, asked.resource.id)
    raise msgspec.ValidationError("Expected `user` or `device` - at `$.subject.type`")


def configuration(url: str) -> bytes:
    """Where the decision point answers (AuthZEN 1.0, Policy Decision Point metadata)."""
    return msgspec.json.encode({
        "policy_decision_point": url,
        "access_evaluation_endpoint": url + EVALUATION,
        "access_evaluations_endpoint": url + EVALUATIONS,
    })  # fmt: skip
