"""For mkdocstrings: examples in docstrings are shown as the sessions that they are."""  # noqa: INP001

from typing import Any

from griffe import Extension, Object


class Examples(Extension):
    """Has sections called "Example:" read as "Examples:", whose sessions griffe understands."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rename the section in one docstring."""
        if obj.docstring is not None:
            obj.docstring.value = obj.docstring.value.replace("\nExample:\n", "\nExamples:\n")
