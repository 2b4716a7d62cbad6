"""The world where main is a remote's: two clones with a queue each, and a wire that does not always carry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.services.enqueue import bring_branches
from tests.stress.model.check import Steering
from tests.stress.model.laws import JudgedWorld
from tests.stress.model.seat import Seat
from tests.stress.model.wire import Wire
from tests.support.nursery import Nursery
from tests.support.queues import require_sound
from tests.support.remotes import remote_of
from tests.support.repo import GitRepo


@dataclass(kw_only=True)
class RemoteWorld(JudgedWorld):
    """People work in the first clone; what is pushed is on the remote. ``wire`` is what pushes go through.

    ``plain``: the remote has refused planctl's own references at least once, and may hence be taken for one
    that never takes them: then the target's lease alone is the fence, and trailers tell what has landed.
    """

    wire: Wire
    plain: bool = False
    _hears_at_once = False

    @property
    def elsewhere(self) -> Seat:
        """The other clone."""
        return self.seats[1]

    @property
    def _may_be_untold(self) -> bool:
        return self.plain

    def _push(self, name: str, start: str, files: dict[str, str], gone: tuple[str, ...] = ()) -> None:
        """The commit is on the remote and in the people's clone, as they had pushed it."""
        reference = f"refs/heads/{name}"
        self.branches[name] = self._commit(self.there, reference, start, files, gone)
        self.repo.git("fetch", "-q", "origin", f"{reference}:{reference}")

    def hand_in_elsewhere(self, name: str) -> None:
        bring_branches(self.elsewhere.queue.bench, [name])
        self.hand_in(name, seat=self.elsewhere)

    def lay_ready(self, what: str, times: int) -> None:
        """The next pushes do not go well."""
        self.plain = self.plain or what == "own"
        # what a plain remote makes long afterwards is refused only if its target has moved
        self.wire.lay("before" if what == "late" and self.plain else what, times)

    def drain_elsewhere(self) -> None:
        self.nursery.drain(self.elsewhere.repo)

    def calm(self) -> None:
        """Pushes go well again, and what was on its way arrives."""
        self.wire.clear()
        self.wire.deliver()

    def _drain_all(self) -> None:
        self.calm()
        for _ in range(2):
            self.drain()
            self.drain_elsewhere()

    def close(self) -> None:
        self.tally["cut"] += self.wire.has_met("before", "after", "late")
        self.tally["refused"] += self.wire.has_met("all", "own")
        super().close()

    def _require_well(self) -> None:
        for seat in self.seats:
            require_sound(seat.repo)
        assert self.there.git("fsck", "--strict", "--no-dangling") == ""


def remote_world_at(template: Path, folder: Path, nursery: Nursery, keys: dict[str, Any]) -> RemoteWorld:
    """A new one, in a folder of its own, with these settings beside those of the check."""
    steering = Steering(folder / "steering")
    seed = GitRepo.copy_of(template, folder / "seed")
    remote = remote_of(seed, folder / "there", **steering.settings, remote="origin", **keys)
    wire = Wire(folder / "wire", remote)
    seats = tuple(Seat(wire.clone(name)) for name in ("one", "two"))
    eye = _seeing(remote.bare, folder / "eye.git", [seat.repo for seat in seats])
    apart = keys["queue"] == "lanes"
    return RemoteWorld(folder, seats, remote.bare, eye, nursery, steering, apart, wire=wire)


def _seeing(bare: GitRepo, path: Path, clones: list[GitRepo]) -> GitRepo:
    """A repository of the judge's own, with the objects of all others and no reference."""
    bare.git("init", "-q", "--bare", str(path))
    folders = [bare.path / "objects", *(clone.path / ".git" / "objects" for clone in clones)]
    (path / "objects" / "info" / "alternates").write_text("".join(f"{folder}\n" for folder in folders))
    return GitRepo(path)
