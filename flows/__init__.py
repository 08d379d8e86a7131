"""The scheduled flow and the task runner that maps its tasks on one event loop."""
