"""An event loop in a thread of its own, made to outlive whatever goes wrong on it."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from contextvars import Context
from logging import Logger
from typing import Any


class EventLoopThread:
    """Runs one coroutine, and beside it whatever else is put on its loop.

    The thread ends with the coroutine: asyncio tasks left over are cancelled, the loop is closed.

    Args:
        main: called with a function to call when it is ready for others.
        ended: called in the thread when nothing can run on the loop any more.
        logger: told of what nobody else can be told.
    """

    def __init__(
        self,
        main: Callable[[Callable[[], None]], Coroutine[Any, Any, None]],
        ended: Callable[[], None],
        logger: Logger,
    ) -> None:
        self.error: BaseException | None = None
        """What the coroutine ended with; None if it ended well or has not ended."""
        self.loop = asyncio.new_event_loop()
        self._main = main
        self._ended = ended
        self._logger = logger
        self._ready: Future[None] = Future()
        self._over = threading.Event()
        # A daemon, so that a runner which nobody left cannot keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="EventLoopTaskRunner", daemon=True)

    def start(self, context: Context) -> None:
        """Start the thread, and wait for the coroutine to be ready.

        Args:
            context: the coroutine's.

        Raises:
            BaseException: what the coroutine raised before it was ready; the thread has ended.
        """
        main = self._main(lambda: self._ready.set_result(None))
        self._task = self.loop.create_task(main, context=context)
        self._thread.start()
        try:
            self._ready.result()
        except BaseException:
            # Or a signal was raised here, in the waiting thread, and the coroutine goes on.
            self.post(self._task.cancel)
            self.join()
            raise

    def post(self, callback: Callable[..., object], *args: object) -> bool:
        """Call something on the loop, soon; False if the loop has closed."""
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(callback, *args)
            return True
        return False

    def join(self) -> None:
        """Wait for the thread to end, unless this is the thread."""
        if threading.current_thread() is not self._thread:
            # First, because a join that a signal interrupts takes the thread for ended (3.11).
            self._over.wait()
            self._thread.join()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
                runner.get_loop()
                self._run_main()
        except BaseException as error:  # noqa: BLE001  # kept for whoever started the thread
            self.error = error
        finally:
            self._ended()
            if not self._ready.done():
                self._ready.set_exception(self.error or RuntimeError("The event loop ended."))
            self._over.set()

    def _run_main(self) -> None:
        while not self._task.done():
            try:
                self.loop.run_until_complete(self._task)
            except BaseException as error:
                if self._task.done():
                    raise
                # SystemExit and KeyboardInterrupt in any asyncio task break out of the loop;
                # the others on it have done nothing wrong, so it goes on.
                self._logger.critical("Raised on the event loop, which goes on:", exc_info=error)
