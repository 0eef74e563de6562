"""The emulator's components, built once per process."""

import random
import secrets
import string
from dataclasses import dataclass
from typing import Any

from telecine_emulator.api.wire import SignedUrls, describe
from telecine_emulator.faults.registry import FaultRegistry
from telecine_emulator.media.renders import Renders
from telecine_emulator.tasks.callbacks import CallbackSender
from telecine_emulator.tasks.clock import Clock, stamp
from telecine_emulator.tasks.scheduler import Scheduler, SchedulerDependencies
from telecine_emulator.tasks.store import Store
from telecine_emulator.tasks.task import URL_LIFETIME_SECONDS, Task

from .settings import Settings

LETTERS = string.ascii_lowercase + string.digits


@dataclass(frozen=True)
class Emulator:
    """The components that routes use."""

    settings: Settings
    store: Store
    clock: Clock
    faults: FaultRegistry
    signed_urls: SignedUrls
    renders: Renders
    callbacks: CallbackSender
    scheduler: Scheduler
    random: random.Random
    not_ready_answers: dict[str, int]
    """Number of `video_not_ready` responses by task id."""

    def show(self, task: Task, base_url: str) -> dict[str, Any]:
        return describe(task, self.signed_urls, self.settings.public_url or base_url)

    def new_id(self, tier: str) -> str:
        """Ark: `cgt-` 14 digits `-` 5 characters; flex tasks begin with `cgt-batch-`."""
        kind = "cgt-batch" if tier == "flex" else "cgt"
        while True:
            # Five random characters may repeat within one second.
            ending = "".join(secrets.choice(LETTERS) for _ in range(5))
            task_id = f"{kind}-{stamp(self.clock.now())}-{ending}"
            if self.store.find(task_id) is None:
                return task_id

    def new_request_id(self) -> str:
        return f"{stamp(self.clock.now())}{secrets.token_hex(10).upper()}"

    def sweep(self) -> None:
        """Removes result files whose URLs have expired."""
        since = self.clock.now() - URL_LIFETIME_SECONDS
        self.renders.remove_others([*self.store.unfinished(), *self.store.downloadable(since)])

    async def close(self) -> None:
        await self.callbacks.close()
        self.renders.close()
        self.store.close()


def open_emulator(settings: Settings) -> Emulator:
    """Opens the data folder and its database; starts nothing."""
    store = Store(settings.data / "emulator.sqlite3")
    clock = Clock(float(store.setting("clock_offset", "0")))
    signed_urls = SignedUrls(store.secret())
    renders = Renders(settings.data / "results")

    def shown(task: Task) -> dict[str, Any]:
        return describe(task, signed_urls, settings.public_url or task.base_url)

    callbacks = CallbackSender(shown, settings.callback_timeout)
    return Emulator(
        settings=settings,
        store=store,
        clock=clock,
        faults=FaultRegistry(settings.faults),
        signed_urls=signed_urls,
        renders=renders,
        callbacks=callbacks,
        scheduler=Scheduler(
            SchedulerDependencies(store, clock, renders, callbacks.notify, settings.concurrency)
        ),
        random=random.Random(settings.random_seed),  # noqa: S311 - seeds and choices, no secrets
        not_ready_answers={},
    )
