"""What only the store on disk can show: many processes, crashes, corruption, other versions and machines."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import aiosql
import pytest

from orchestrator import clock as clock_module
from orchestrator.clock import SystemClock
from orchestrator.errors import BusyError, StoreUnusableError
from orchestrator.states import IntentState
from orchestrator.store.protocol import SET_ASIDE, Store
from orchestrator.store.scopes import Scope
from orchestrator.store.sqlite import database as database_module
from orchestrator.store.sqlite import migrations, opening
from orchestrator.store.sqlite.database import Database, StoreCorruptError
from orchestrator.store.sqlite.named import QUERIES, Kind, family
from orchestrator.store.sqlite.opening import open_sqlite, take_over
from orchestrator.store.sqlite.snapshot import open_snapshot
from tests.support.clock import FakeClock
from tests.support.records import AT, a_lease, a_session, a_verdict, an_intent

CLOCK = SystemClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "planctl" / "state.db"


@pytest.fixture
def opened(path: Path) -> Iterator[Callable[[], Store]]:
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(contextlib.closing(open_sqlite(path, CLOCK).store))


def run_python(code: str, path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"{PRELUDE}\n{code}", str(path)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


PRELUDE = """
import os, sys
from pathlib import Path
from orchestrator.clock import SystemClock
from orchestrator.store.sqlite.opening import open_sqlite
path, clock = Path(sys.argv[1]), SystemClock()
"""


def test_connections_are_set_up_as_the_design_says(path: Path, opened: Callable[[], Store]) -> None:
    health = opened().health()
    assert health["journal_mode"] == "wal"
    assert health["synchronous"] == 2  # FULL
    assert health["busy_timeout_ms"] >= 5000  # S0.1
    with contextlib.closing(Database.connect(path, "rw")) as database:
        database.set_up()
        assert database.pragma("foreign_keys") == 1


def test_the_wait_for_locks_is_set_before_anything_else() -> None:
    assert database_module.PRAGMAS[0] == "busy_timeout = 5000"


WRITES = """
import time
rounds, name = 30, sys.argv[2]
while not path.with_name("go").exists():
    pass
from orchestrator.store.records import Session
for n in range(rounds):
    store = open_sqlite(path, clock).store if n % 10 == 0 else store
    if n == 0:
        store.add_session(Session(name, "run", os.getpid(), 1.0, "h", "b", "t", "t", 1.0))
    assert store.beat(name, expires=float(n), at="t")
    with store.transaction():
        count = int(store.value("count") or 0)
        store.set_value("count", str(count + 1))
        store.emit("x", at="t", n=n)
    if n % 10 == 9:
        store.close()
"""


def test_s0_1_16_processes_open_migrate_and_write_at_once_and_none_is_refused(
    path: Path, opened: Callable[[], Store]
) -> None:
    path.parent.mkdir()
    children = [
        subprocess.Popen(
            [sys.executable, "-c", PRELUDE + WRITES, str(path), f"s{n}"], stderr=subprocess.PIPE, text=True
        )
        for n in range(16)
    ]
    path.with_name("go").touch()
    errors = [child.communicate()[1] for child in children]
    assert [child.returncode for child in children] == [0] * 16, "\n".join(errors)
    store = opened()
    assert store.value("count") == str(16 * 30)
    assert [e.sequence for e in store.events_after(0)] == list(range(1, 16 * 30 + 1))
    assert len(store.sessions()) == 16
    assert store.health()["integrity"] == "ok"


def test_a_writer_that_never_gets_its_turn_is_told_so(
    opened: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "BUSY_MS", 1)
    monkeypatch.setattr(database_module, "PRAGMAS", ("busy_timeout = 1",))
    first, second = opened(), opened()
    with first.transaction(), pytest.raises(BusyError):
        second.set_value("k", "v")
    second.set_value("k", "v")


def test_the_store_of_another_thread_is_refused(opened: Callable[[], Store]) -> None:
    import threading

    store, caught = opened(), []

    def use() -> None:
        try:
            store.value("k")
        except sqlite3.ProgrammingError as error:
            caught.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert caught


@pytest.mark.parametrize("durable", [True, False])
def test_what_must_survive_a_power_cut_is_synced_and_heartbeats_are_not(
    opened: Callable[[], Store], durable: bool
) -> None:
    """SQLite itself is asked, at the moment of COMMIT, how it would sync."""
    store = opened()
    store.add_session(a_session())
    seen: list[int] = []
    connection = store._db.connection  # type: ignore[attr-defined]

    def watch(statement: str) -> None:
        if statement == "COMMIT":
            seen.append(store._db.connection.execute("PRAGMA synchronous").fetchone()[0])  # type: ignore[attr-defined]

    connection.set_trace_callback(watch)
    if durable:
        store.add_intent(an_intent())
        store.add_verdict(a_verdict())
        assert seen == [2, 2]
    else:
        assert store.beat("s1", expires=1.0, at=AT)
        assert seen == [1]
    connection.set_trace_callback(None)
    assert store.health()["synchronous"] == 2


@pytest.mark.parametrize("n", [1, 2, 9, 20])
def test_killed_in_the_middle_of_a_migration_leaves_the_store_as_it_was(path: Path, n: int) -> None:
    done = run_python("open_sqlite(path, clock)", path, PLANCTL_KILL_AT=f"store.migrate:before:{n}")
    assert done.returncode == -9
    with contextlib.closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA user_version").fetchone() == (0,)
        assert raw.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    with contextlib.closing(open_sqlite(path, CLOCK).store) as store:
        assert store.health()["version"] == len(migrations.migrations())


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_around_a_commit_is_all_or_nothing(path: Path, moment: str) -> None:
    open_sqlite(path, CLOCK).store.close()
    code = (
        "store = open_sqlite(path, clock).store\n"
        "with store.transaction():\n    store.set_value('a', '1')\n    store.set_value('b', '1')\n"
    )
    assert run_python(code, path, PLANCTL_KILL_AT=f"store.commit:{moment}").returncode == -9
    with contextlib.closing(open_sqlite(path, CLOCK).store) as store:
        wanted = "1" if moment == "after" else None
        assert (store.value("a"), store.value("b")) == (wanted, wanted)


def test_a_store_of_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    open_sqlite(path, CLOCK).store.close()
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(StoreUnusableError, match="version 99"):
        open_sqlite(path, CLOCK)
    with pytest.raises(StoreUnusableError, match="version 99"):
        open_snapshot(path, CLOCK.boot())
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*corrupt*"))


def corrupt_header(path: Path) -> None:
    path.write_bytes(b"not a database at all " * 500)


def corrupt_page(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 12] = b"\xa5" * (4096 * 9)
    path.write_bytes(data)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:10_000])


@pytest.mark.parametrize("spoil", [corrupt_header, corrupt_page, truncate])
def test_s3_1_a_corrupt_store_is_set_aside_whole_and_reported_until_rebuilt(
    path: Path, spoil: Callable[[Path], None]
) -> None:
    with contextlib.closing(open_sqlite(path, CLOCK).store) as store:
        for n in range(500):
            store.set_value(f"key {n}", "x" * 100)
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(StoreCorruptError):
        open_snapshot(path, CLOCK.boot())  # a reader changes nothing
    assert path.read_bytes() == before
    first = open_sqlite(path, CLOCK)
    assert first.set_aside is not None
    assert first.set_aside.read_bytes() == before
    assert first.store.value("key 1") is None
    assert first.store.health()["integrity"] == "ok"
    second = open_sqlite(path, CLOCK)
    assert second.set_aside == first.set_aside
    second.store.set_value(SET_ASIDE, None)
    third = open_sqlite(path, CLOCK)
    assert third.set_aside is None
    for opened in (first, second, third):
        opened.store.close()


def test_a_reader_that_does_not_verify_says_of_a_page_it_cannot_read_that_the_store_is_corrupt(
    path: Path,
) -> None:
    """`metrics` was told "unexpected DatabaseError" of the page that names the machine."""
    with contextlib.closing(open_sqlite(path, CLOCK).store) as store:
        store.set_value("key", "x")
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xa5" * (len(data) - 4096))
    with pytest.raises(StoreCorruptError, match="corrupt"):
        open_snapshot(path, CLOCK.boot(), verify=False)


@pytest.mark.parametrize("lose", [corrupt_header, Path.unlink])
def test_s3_1_tokens_rise_over_stores_that_are_lost(path: Path, lose: Callable[[Path], None]) -> None:
    """What has seen a token refuses lower ones: a new holder's, if a new store counted from 1."""
    clock, tokens = FakeClock(), []
    for jump in (0, -3600, 7200):
        clock.set_wall(jump)
        with contextlib.closing(open_sqlite(path, clock).store) as store:
            for _ in range(2):
                granted = store.grant(a_lease("deploy", expires=1e9), now=0.0)
                assert granted is not None
                tokens.append(granted.token)
        lose(path)
    assert tokens[:2] == [1, 2]
    assert tokens == sorted(set(tokens))


@pytest.mark.parametrize(
    "moment",
    [
        "mark:before",
        "mark:after",
        "rename:before",
        "rename:after",
        "rename:before:2",
        "unmark:before",
        "unmark:after",
    ],
)
def test_killed_while_setting_aside_loses_neither_the_old_store_nor_the_report(
    path: Path, moment: str
) -> None:
    path.parent.mkdir()
    corrupt_header(path)
    path.with_name("state.db-wal").write_bytes(b"a log that must not be played into the new store")
    before = path.read_bytes()
    killed = run_python("open_sqlite(path, clock)", path, PLANCTL_KILL_AT=f"store.set_aside.{moment}")
    assert killed.returncode == -9
    opened = open_sqlite(path, CLOCK)
    opened.store.close()
    assert opened.set_aside is not None, killed.stderr
    assert opened.set_aside.read_bytes() == before
    assert Path(f"{opened.set_aside}-wal").read_bytes().startswith(b"a log")
    assert len([p for p in path.parent.glob("*.corrupt-*") if not p.name.endswith(("-wal", "-shm"))]) == 1
    assert not list(path.parent.glob("*setting-aside*"))


def test_16_processes_meet_a_corrupt_store_and_one_sets_it_aside(path: Path) -> None:
    path.parent.mkdir()
    corrupt_header(path)
    code = "opened = open_sqlite(path, clock); print(opened.set_aside); opened.store.emit('x', at='t')"
    children = [
        subprocess.Popen([sys.executable, "-c", PRELUDE + code, str(path)], stdout=subprocess.PIPE, text=True)
        for _ in range(16)
    ]
    told = {child.communicate()[0].strip() for child in children}
    assert [child.returncode for child in children] == [0] * 16
    assert told == {str(p) for p in path.parent.glob("*.corrupt-*") if not p.name.endswith(("-wal", "-shm"))}
    assert len(told) == 1
    with contextlib.closing(open_sqlite(path, CLOCK).store) as store:
        assert len(store.events_after(0)) == 16


def test_a_store_that_was_set_aside_takes_no_more_writes(path: Path, opened: Callable[[], Store]) -> None:
    store = opened()
    path.rename(path.with_name("moved"))
    with pytest.raises(StoreUnusableError, match="set aside"):
        store.set_value("k", "v")


def test_another_machine_is_refused_until_a_person_says_otherwise(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_sqlite(path, FakeClock("boot-1")).store.close()
    monkeypatch.setattr(opening, "machine", lambda: "0123456789abcdef")
    open_sqlite(path, FakeClock("boot-1")).store.close()  # a container on the same, still running, kernel
    with pytest.raises(StoreUnusableError, match="another machine"):
        open_sqlite(path, FakeClock("boot-2"))
    with pytest.raises(StoreUnusableError, match="another machine"):
        open_snapshot(path, "boot-2")
    take_over(path, FakeClock("boot-2"))
    open_sqlite(path, FakeClock("boot-2")).store.close()


def test_a_reboot_and_a_new_host_name_are_no_other_machine(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock_module, "machine_id", lambda: "6ec57f84c680d3a3778b")
    clock_module.machine.cache_clear()
    open_sqlite(path, FakeClock("boot-1")).store.close()
    clock_module.machine.cache_clear()
    monkeypatch.setattr(clock_module, "host", lambda: "renamed")
    open_sqlite(path, FakeClock("boot-2")).store.close()
    clock_module.machine.cache_clear()


def frozen(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in sorted(folder.rglob("*")) if p.is_file()}


def test_reading_changes_no_byte_whatever_the_last_writer_left(path: Path) -> None:
    write = "store = open_sqlite(path, clock).store; store.emit('x', at='t'); "
    assert run_python(write + "store.close()", path).returncode == 0
    for left_behind in ("a clean file", "a log of a killed writer", "that log without its index"):
        if left_behind == "a log of a killed writer":
            assert run_python(write + "os.kill(os.getpid(), 9)", path).returncode == -9
            assert path.with_name("state.db-wal").stat().st_size > 0
        elif left_behind == "that log without its index":
            path.with_name("state.db-shm").unlink()
        before = frozen(path.parent)
        with contextlib.closing(open_snapshot(path, CLOCK.boot())) as store:  # type: ignore[type-var]
            count = len(store.events_after(0))  # type: ignore[union-attr]
            with pytest.raises(StoreUnusableError, match="readonly"):
                store.set_value("k", "v")  # type: ignore[union-attr]
        assert frozen(path.parent) == before, left_behind
        assert count == (1 if left_behind == "a clean file" else 2), left_behind


def test_reading_a_log_that_a_killed_writer_had_only_begun(path: Path) -> None:
    """Found by a random kill: ``status`` and ``doctor --fix`` said "locking protocol" from then on."""
    begun = """
store = open_sqlite(path, clock).store
store.emit('x', at='t')
log = path.with_name('state.db-wal')
head = log.read_bytes()[:32]
store._db.connection.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchall()
log.write_bytes(head)  # the salts of the index are new already
os.kill(os.getpid(), 9)
"""
    assert run_python(begun, path).returncode == -9
    before = frozen(path.parent)
    with contextlib.closing(open_snapshot(path, CLOCK.boot())) as store:  # type: ignore[type-var]
        assert len(store.events_after(0)) == 1  # type: ignore[union-attr]
    assert frozen(path.parent) == before


def test_reading_beside_a_living_writer_sees_what_is_committed(
    path: Path, opened: Callable[[], Store]
) -> None:
    writer = opened()
    writer.set_value("k", "v")
    with writer.transaction():
        writer.set_value("k", "not yet")
        with contextlib.closing(open_snapshot(path, CLOCK.boot())) as reader:  # type: ignore[type-var]
            assert reader.value("k") == "v"  # type: ignore[union-attr]
    assert open_snapshot(path.with_name("none.db"), CLOCK.boot()) is None
    assert not path.with_name("none.db").exists()


def test_reading_takes_no_lock_away_from_a_writer_of_the_same_process(
    path: Path, opened: Callable[[], Store]
) -> None:
    """To close a file of the store drops this process's locks on it (POSIX): another one would write then."""
    store = opened()
    other = (
        "import sqlite3, sys\n"
        "sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None).execute('BEGIN IMMEDIATE')\n"
    )
    with store.transaction():
        store.set_value("k", "v")
        with contextlib.closing(open_snapshot(path, CLOCK.boot())) as copy:  # type: ignore[type-var]
            assert copy.value("k") is None, "it is not committed"
        done = subprocess.run(
            [sys.executable, "-c", other, path], capture_output=True, text=True, check=False
        )
    assert "database is locked" in done.stderr
    with contextlib.closing(open_snapshot(path, CLOCK.boot())) as copy:  # type: ignore[type-var]
        assert copy.value("k") == "v"
        with pytest.raises(StoreUnusableError, match="readonly"):
            copy.set_value("k", "w")


def test_reading_an_older_store_migrates_the_copy_only(path: Path) -> None:
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE older (x)")
    before = path.read_bytes()
    with contextlib.closing(open_snapshot(path, CLOCK.boot())) as store:  # type: ignore[type-var]
        assert store.sessions() == []  # type: ignore[union-attr]
    assert path.read_bytes() == before


def test_a_folder_that_refuses_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "planctl").write_text("a file where a folder should be")
    with pytest.raises((StoreUnusableError, OSError)):
        open_sqlite(tmp_path / "planctl" / "state.db", CLOCK)


def test_a_landing_in_the_middle_is_one_of_a_single_entry_after_the_migration(path: Path) -> None:
    """A planctl that knew no batches was killed while it landed; this one finds its intent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as raw:
        for file in migrations.migrations()[:2]:
            raw.executescript(file.read_text(encoding="utf-8"))
        raw.execute(
            "INSERT INTO intents (id, entry, target, old, new, epoch, created_at, checkouts, state, version)"
            " VALUES ('i1', 'e1', 'refs/heads/main', 'a', 'b', 'c', ?, '[]', 'open', 0)",
            (AT,),
        )
        raw.execute("PRAGMA user_version = 2")
        raw.commit()
    store = open_sqlite(path, CLOCK).store
    (intent,) = store.intents({IntentState.OPEN})
    assert (dict(intent.members), intent.old, intent.new) == ({"e1": "b"}, "a", "b")
    store.close()


def test_the_schema_is_the_sum_of_the_migrations(path: Path) -> None:
    """Every column of every record has its place, and the numbers have no gap."""
    files = migrations.migrations()
    assert [int(p.name[:4]) for p in files] == list(range(1, len(files) + 1))
    open_sqlite(path, CLOCK).store.close()

    def schema(connection: sqlite3.Connection) -> list[tuple[str, ...]]:
        rows = connection.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY 1, 2"
        )
        return rows.fetchall()

    with (
        contextlib.closing(sqlite3.connect(path)) as made,
        contextlib.closing(sqlite3.connect(":memory:")) as summed,
    ):
        for file in files:
            summed.executescript(file.read_text(encoding="utf-8"))
        assert schema(made) == schema(summed)


def test_a_migration_script_is_split_at_its_statements() -> None:
    script = "-- a comment; with a semicolon\nCREATE TABLE a (x);\nINSERT INTO a VALUES (';');\n"
    assert len(list(migrations.statements(script))) == 2
    with pytest.raises(ValueError, match="without its end"):
        list(migrations.statements("CREATE TABLE a (x)"))


def test_a_full_disk_undoes_the_transaction_and_says_so(opened: Callable[[], Store]) -> None:
    store = opened()
    store._db.pragma("max_page_count = 45")  # type: ignore[attr-defined]

    def fill() -> None:
        with store.transaction():
            store.set_value("first", "1")
            for n in range(1000):
                store.emit("x", at=AT, text="y" * 4000, n=n)

    with pytest.raises(StoreUnusableError, match="full"):
        fill()
    assert store.value("first") is None
    assert store.events_after(0) == []


FAMILIES = [p.stem for p in QUERIES.glob("*.sql")]


def test_every_named_query_is_used_and_every_one_used_is_there() -> None:
    sources = "".join(p.read_text() for p in QUERIES.parent.joinpath("sqlite").glob("*.py"))
    used = {name for name in re.findall(r'"(\w+\.\w+)"', sources) if name.split(".")[0] in FAMILIES}
    assert used == {f"{name}.{query}" for name in FAMILIES for query in family(name)}


@pytest.mark.parametrize("name", FAMILIES)
def test_aiosql_reads_the_same_out_of_our_query_files(name: str) -> None:
    theirs = aiosql.from_path(QUERIES / f"{name}.sql", "sqlite3", encoding="utf-8")
    kinds = {
        Kind.ROWS: "SELECT",
        Kind.ROW: "SELECT_ONE",
        Kind.TOUCHED: "INSERT_UPDATE_DELETE",
        Kind.KEY: "INSERT_RETURNING",
    }
    ours = family(name)
    assert set(ours) == {n for n in theirs.available_queries if not n.endswith("_cursor")}
    for key, query in ours.items():
        their = getattr(theirs, key)
        assert (their.operation.name, their.sql) == (kinds[query.kind], query.sql)
        assert set(their.__signature__.parameters) - {"self"} == set(query.parameters)


def test_a_query_is_run_as_what_it_is(opened: Callable[[], Store]) -> None:
    named = opened()._db.query  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="is a query of kind"):
        named.rows("sessions.get", id="s1")
    with pytest.raises(KeyError):
        named.row("sessions.get")


def test_the_old_store_is_not_touched_when_the_new_one_cannot_be_made(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    corrupt_header(path)
    copy = shutil.copy(path, tmp_path / "copy")
    path.with_name("state.db.lock").mkdir()  # the lock cannot be had
    with pytest.raises((StoreUnusableError, BusyError, OSError)):
        open_sqlite(path, CLOCK)
    assert path.read_bytes() == Path(copy).read_bytes()


def test_leases_of_an_older_store_are_kept_with_their_tokens(tmp_path: Path) -> None:
    """Of 0005: what was held is held, to write; a name whose lease was given back remembers its token."""
    path = tmp_path / "state.db"
    with contextlib.closing(sqlite3.connect(path)) as old:
        for number, script in enumerate(migrations.migrations()[:4], 1):
            old.executescript(script.read_text(encoding="utf-8"))
            old.execute(f"PRAGMA user_version = {number}")
        old.execute("INSERT INTO leases VALUES ('held', 7, 's1', 'boot-1', 60.0, '2026', 'why')")
        old.execute("INSERT INTO leases VALUES ('given', 3, NULL, 'boot-1', 60.0, '2026', '')")
        old.commit()
    with contextlib.closing(open_sqlite(path, SystemClock()).store) as store:
        (lease,) = store.leases()
        assert (lease.name, lease.token, lease.scope, lease.purpose) == ("held", 7, Scope.WRITE, "why")
        assert store.grant(a_lease("held", "s2"), now=0.0) is None
        assert store.grant(a_lease("given", "s2"), now=0.0).token == 4  # type: ignore[union-attr]
