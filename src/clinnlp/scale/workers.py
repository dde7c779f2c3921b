"""Processes that read texts side by side: they share the memory of the model, and one that dies is replaced."""

from __future__ import annotations

import gc
import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from clinnlp.errors import ClinnlpError

ENDED = "the process ended while reading the note"
TRIES = 2  # how often a text may end its process
FORKS = sys.platform.startswith("linux")  # elsewhere each process loads the model itself

T = TypeVar("T")
Read = Callable[[list[str]], list[Any]]  # gives for each text what was found


class Workers:
    """Processes that each read the texts they are given; leaving the context ends them at once.

    The parent has no threads of its own here, so that it may fork at any time. Build the pipeline before: what is in
    memory then is shared.

    Parameters
    ----------
    read
        What a process does with texts.
    jobs
        How many processes there are.
    """

    def __init__(self, read: Read, jobs: int) -> None:
        gc.collect()
        gc.freeze()  # collecting would write to the memory that is shared
        self._workers: list[_Worker] = []
        for _ in range(jobs):
            self._workers.append(_Worker(read, self._workers))

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()
        gc.unfreeze()

    def map(self, tasks: Iterable[tuple[T, list[str]]]) -> Iterator[tuple[T, list[Any]]]:
        """Read the texts of each task, and give its key with what was found, in the order in which they are done.

        The texts of a process that dies are read again, one by one; for one that ends its process again `ENDED` is
        given.
        """
        waiting = iter(tasks)
        at_work: dict[Any, tuple[_Worker, T, list[str]]] = {}  # by pipe

        def start(worker: _Worker) -> None:
            if (task := next(waiting, None)) is not None:
                worker.give(task[1])
                at_work[worker.pipe] = (worker, *task)

        for worker in self._workers:
            start(worker)
        while at_work:
            for pipe in wait(list(at_work)):
                worker, key, texts = at_work.pop(pipe)
                try:
                    found = worker.take()
                except EOFError:
                    worker.start()
                    found = [worker.try_text(text) for text in texts]
                start(worker)
                yield key, found


class _Worker:
    """A process, and the pipe to it."""

    def __init__(self, read: Read, siblings: Sequence[_Worker]) -> None:
        self._read, self._siblings = read, siblings
        self.start()

    def start(self) -> None:
        """Start the process, after what is left of one before it."""
        if hasattr(self, "process"):
            self.end()
        context: Any = multiprocessing.get_context("fork" if FORKS else "spawn")
        self.pipe, theirs = context.Pipe()
        inherited = [w.pipe for w in (*self._siblings, self) if not w.pipe.closed] if FORKS else []
        self.process = context.Process(target=_serve, args=(theirs, inherited, self._read), daemon=True)
        self.process.start()
        theirs.close()  # so that the pipe ends with the process

    def give(self, texts: list[str]) -> None:
        """Send texts; a process that is gone is noticed when its findings are taken."""
        try:
            self.pipe.send(texts)
        except OSError:
            self.process.join()

    def take(self) -> list[Any]:
        """Wait for what was found."""
        try:
            found = self.pipe.recv()
        except OSError:
            raise EOFError from None
        if isinstance(found, Exception):
            raise found
        return list(found)

    def try_text(self, text: str) -> Any:
        """Read a text that may end the process."""
        for _ in range(TRIES):
            try:
                self.give([text])
                return self.take()[0]
            except EOFError:
                self.start()
        return ENDED

    def end(self) -> None:
        """End the process at once."""
        self.pipe.close()
        self.process.kill()
        self.process.join()


def _serve(pipe: Connection, inherited: Iterable[Connection], read: Read) -> None:
    """Read texts until the parent is gone; `inherited` are its ends of the pipes, which would hide that from here."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for other in inherited:
        other.close()
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    while True:
        try:
            texts = pipe.recv()
            pipe.send(_attempt(read, texts))
        except (EOFError, OSError):
            return


def _attempt(read: Read, texts: list[str]) -> list[Any] | Exception:
    try:
        return read(texts)
    except ClinnlpError as error:
        return error
    except Exception as error:  # its message may quote a note
        return ClinnlpError(f"A process failed with {type(error).__name__}.")
