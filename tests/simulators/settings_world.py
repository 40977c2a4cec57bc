"""A store, a clock and lives of an agent in memory: what a course of settings stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.configuring.course import Course
from agent.configuring.layers import Layers, Temporary, active_of, pending_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.slots import Change


class SettingsWorld:
    """The disk, the clock and the boot id, with a life of the agent that begins anew when it is to.

    Attributes:
        notes: kinds of the entries of the audit log, each with what it is about.
        lives: what lay over the file in each life.
    """

    def __init__(self) -> None:
        self.now, self.boots = 100.0, 1
        self.documents: dict[str, bytes] = {}
        self.notes: list[tuple[str, str]] = []
        self.waiting: list[tuple[Change, Callable[[], None] | None]] = []
        self.lives: list[dict[str, Any]] = []
        self.desired: tuple[int, dict[str, Any]] | None = None
        self.course = self.live()

    def live(self, layers: Layers | None = None, *, trial: bool = False, failed: str = "") -> Course:
        """Begin a life, with what is on the disk."""
        boot = f"boot-{self.boots}"
        running = active_of(self.documents).at(boot, self.now) if layers is None else layers
        self.lives.append(running.values)
        self.course = Course(
            dict(self.documents),
            self.keep,
            boot=boot,
            now=self.now,
            running=running,
            trial=trial,
            failed=failed,
        )
        if self.desired:
            self.course.desire(*self.desired, 1000.0, self.now)
        return self.course

    def keep(self, change: Change, then: Callable[[], None] | None = None) -> None:
        """Queue a change."""
        self.waiting.append((change, then))

    def write(self) -> None:
        """Make the oldest change durable."""
        change, then = self.waiting.pop(0)
        self.documents |= change.documents
        self.notes += [(note.kind, note.subject) for note in change.notes]
        if then:
            then()

    def write_all(self) -> None:
        """Make all changes durable, and those that follow from them."""
        while self.waiting:
            self.write()

    def desire(self, generation: int, **values: Any) -> None:
        """The operator's desired state comes, and is durable."""
        self.desired = (generation, values)
        self.course.desire(generation, values, 1000.0, self.now)

    def order(self, name: str, seconds: float = 0.0, **values: Any) -> None:
        """A command's settings come."""
        until = self.now + seconds if seconds else 0.0
        boot = f"boot-{self.boots}"
        self.course.order(Temporary(order=name, values=values, boot=boot, until=until), self.now)

    def wait(self, seconds: float) -> None:
        """Let time pass; a candidate that is due is begun."""
        self.now += seconds
        self.course.tick(self.now)
        if self.course.due(self.now):
            self.course.begin()

    def go(self) -> bool:
        """Begin anew if that is due, after an end in good order; say whether it was."""
        target, trial = self.course.target, self.course.armed
        if target is None:
            return False
        if not trial:
            self.course.leave()
        self.write_all()
        self.live(target, trial=trial)
        return True

    def end(self) -> None:
        """The agent ends in good order, and starts again."""
        self.course.leave()
        self.write_all()
        self.live()

    def die(self, *, reboot: bool = False) -> None:
        """The agent is killed, with what is not written yet; the device may boot again, too."""
        self.waiting.clear()
        self.boots += reboot
        self.live()

    def settle(self, *, well: bool = True) -> None:
        """All goes its way until nothing is left to do."""
        for _ in range(40):
            self.write_all()
            if self.course.on_trial and not self.course.armed:
                if well:
                    self.course.passed(self.now)
                else:
                    self.course.failed("nothing runs", self.now)
            elif not self.go():
                if self.course.held.candidate is None and not self.waiting:
                    return
                self.wait(20.0)

    @property
    def state(self) -> str:
        """Where the settings stand."""
        return self.course.held.state.value

    @property
    def active(self) -> Layers:
        """What the disk says is active."""
        return active_of(self.documents)

    @property
    def pending(self) -> Any:
        """What the disk says is not."""
        return pending_of(self.documents)
