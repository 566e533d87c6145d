"""Every error that Domicile raises on purpose.

    DomicileError                exit  what the user can do
    ├── UsageError               2     correct the command
    ├── DeclarationError         2     correct the estate or mandate at file:line
    ├── StoreError               3
    │   ├── StoreUnreachable     3     start the store, correct its URL or credentials
    │   ├── StoreRefused         5     the store refused an operation; fix it there, run again
    │   │                              (3 from commands that only read: nothing was begun)
    │   │   └── StoreBusy        5     others hold what is needed; tried again, then run again
    │   └── FidelityError        4     a type would lose something; named, nothing copied
    ├── FleetError               3     correct the fleet's source or its credentials, or wait
    ├── PlanRefused              4     make a new plan, raise the cap, or get the approval
    ├── Stopped                  5     run the same command again to resume
    └── EvidenceError            1     the log or a proof does not verify

A message names the object, what was got and expected, and what to do next. It never
holds a password or a person's data: raise with names, counts and types only.
"""

from __future__ import annotations


class DomicileError(Exception):
    """Root of all errors; `exit_code` is the process's (design.md, section 9)."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(DomicileError):
    """The command line itself is wrong."""


class DeclarationError(DomicileError):
    """An estate or a mandate is wrong; names the file, the line and the key."""

    def __init__(
        self, message: str, *, file: str = "", line: int = 0, key: str = "", hint: str = ""
    ) -> None:
        where = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(f"{where}{key + ': ' if key else ''}{message}", hint=hint)
        self.file, self.line, self.key = file, line, key


class StoreError(DomicileError):
    """Something about one store."""

    exit_code = 3

    def __init__(self, store: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"store {store}: {message}", hint=hint)
        self.store = store


class StoreUnreachable(StoreError):
    """The store did not answer, or did not let us in."""


class StoreRefused(StoreError):
    """The store answered, and refused an operation."""

    exit_code = 5


class StoreBusy(StoreRefused):
    """Others hold a lock that is needed, or the store broke a tie at our cost."""


class FidelityError(StoreError):
    """A value or type cannot be carried to the other kind of store without loss."""

    exit_code = 4


class FleetError(DomicileError):
    """An inventory cannot be read, or says what it cannot mean; what was known stays."""

    exit_code = 3

    def __init__(self, fleet: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"fleet {fleet}: {message}", hint=hint)
        self.fleet = fleet


class PlanRefused(DomicileError):
    """The plan is stale, finished, tampered with, over the cap, or not approved.

    `code` is the reason as the evidence log names it.
    """

    exit_code = 4

    def __init__(self, message: str, *, hint: str = "", code: str = "plan_stale") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class Stopped(DomicileError):
    """Apply stopped half-way in a state that a second run resumes."""

    exit_code = 5


class EvidenceError(DomicileError):
    """The log, a checkpoint or a proof does not verify."""

    exit_code = 1
