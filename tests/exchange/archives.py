"""Archives like those of torch.export, with something else inside."""

import zipfile


def rewritten(source, target, changes=(), more=()):
    """A copy of an archive with some members' bytes changed and others added."""
    changes = dict(changes)
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(target, "w") as after:
        for name in before.namelist():
            short = name.partition("/")[2]
            after.writestr(name, changes[short](before.read(name)) if short in changes else before.read(name))
        for name, content in dict(more).items():
            after.writestr(name, content)
    return target
