"""Result files in the data folder, rendered in threads while their tasks run. Equal scenes share a file."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from telecine_emulator.tasks.task import Task

from .scene import Scene

WORKERS = 2
PART = ".part"


def scene_of(task: Task) -> Scene:
    spec = task.spec
    return Scene(
        width=spec.width,
        height=spec.height,
        frame_count=spec.frame_count,
        text=spec.prompt,
        picture=spec.media,
        watermark=spec.watermark,
        output_format=spec.output_format,
        padded_to=task.plan.result_bytes,
    )


class Renders:
    """Call it from one thread; `when_done` is called from a worker thread."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="render")
        self._under_way: dict[str, Future[None]] = {}

    def video(self, task: Task) -> Path:
        scene = scene_of(task)
        return self._folder / f"{scene.key}.{scene.output_format}"

    def last_frame(self, task: Task) -> Path:
        return self._folder / f"{scene_of(task).key}.png"

    def ready(self, task: Task) -> bool:
        return all(path.exists() for path in self._wanted(task))

    def start(self, task: Task, when_done: Callable[[Future[None]], None]) -> None:
        """Renders the missing files; several tasks may wait for the same ones."""
        key = f"{scene_of(task).key}{task.spec.return_last_frame}"
        future = self._under_way.get(key)
        if future is None or future.done():
            future = self._pool.submit(_make, scene_of(task), self._wanted(task))
            self._under_way[key] = future
            future.add_done_callback(lambda _: self._under_way.pop(key, None))
        future.add_done_callback(when_done)

    def remove_others(self, tasks: list[Task]) -> None:
        """Removes finished files that no task in `tasks` needs."""
        kept = {path for task in tasks for path in self._wanted(task)}
        for path in set(self._folder.iterdir()) - kept:
            # Partial files are still being written.
            if path.suffix != PART:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _wanted(self, task: Task) -> tuple[Path, ...]:
        return (
            (self.video(task), self.last_frame(task)) if task.spec.return_last_frame else (self.video(task),)
        )


def _make(scene: Scene, paths: tuple[Path, ...]) -> None:
    # Loading PyAV takes 0.2 s; imported here, it does not delay the start of the server.
    from .video import write_clip, write_last_frame

    for path in paths:
        if path.exists():
            continue
        # Renamed when complete, so that a killed process leaves no partial file under the final name.
        part = path.with_name(path.name + PART)
        (write_last_frame if path.suffix == ".png" else write_clip)(scene, part)
        part.replace(path)
