"""Roots of Debian releases, made by debootstrap once and kept, and copies of them that cost nothing: overlays.

Whoever makes a copy is root in a mount namespace of its own, and all mounts end with it. What is kept is in
~/.cache/vigie/roots: RELEASE, the bare root; RELEASE-build-HASH, what a root that builds packages has on top of it; and
RELEASE-archives, the packages that were fetched."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "vigie"
KEPT = CACHE / "roots"
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
               "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


def run(*command, **options):
    """What it has printed; what fails is said with all of it."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Root:
    """A root of `layers`, the topmost first, in which everything may be written; it lies in `folder`."""

    def __init__(self, release, layers, upper=None):
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="vigie-root-", dir=KEPT)) # beside what it overlays
        self.path = self.work / "root"
        upper = upper or self.work / "upper"
        for folder in (self.path, upper, self.work / "work"):
            folder.mkdir(exist_ok=True)
        run("mount", "-t", "overlay", "overlay", self.path, "-o",
            f"lowerdir={':'.join(map(str, layers))},upperdir={upper},workdir={self.work}/work")
        run("mount", "-t", "proc", "proc", self.path / "proc")
        run("mount", "--rbind", "/dev", self.path / "dev")
        archives = KEPT / f"{release}-archives"
        (archives / "partial").mkdir(parents=True, exist_ok=True)
        run("mount", "--bind", archives, self.path / "var/cache/apt/archives")
        shutil.copy("/etc/resolv.conf", self.path / "etc/resolv.conf")
        policy = self.path / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n") # no service of the root starts by itself
        policy.chmod(0o755)

    def close(self):
        run("umount", "--recursive", "--lazy", self.path)
        shutil.rmtree(self.work, ignore_errors=True)

    def run(self, *command):
        return run("chroot", self.path, *command, env=ENVIRONMENT)

    def install(self, *packages):
        command = ("apt-get", "-qq", "-o", "Dpkg::Use-Pty=0", "-o", "Dpkg::Options::=--force-confold", "install",
                   "--yes", "--no-install-recommends", *packages)
        try:
            return self.run(*command)
        except AssertionError: # lists that are older than the archive
            self.run("apt-get", "-qq", "update")
            return self.run(*command)


def bare_layer(release):
    kept = KEPT / release
    if not kept.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        made = pathlib.Path(tempfile.mkdtemp(prefix=f"{release}-", dir=KEPT))
        run("debootstrap", "--variant=minbase", release, made)
        made.chmod(0o755)
        made.rename(kept)
    return kept


def bare_root(release):
    return Root(release, [bare_layer(release)])


def building_root(release):
    """What `make deb` needs and lintian are there; kept until what is needed changes."""
    needs = (CHECKOUT / "debian/control").read_text().split("Standards-Version")[0]
    kept = KEPT / f"{release}-build-{hashlib.sha256(needs.encode()).hexdigest()[:12]}"
    if not kept.exists():
        made = pathlib.Path(tempfile.mkdtemp(prefix=f"{release}-build-", dir=KEPT))
        root = Root(release, [bare_layer(release)], made)
        try:
            copy_checkout(root)
            root.run("/root/vigie/deploy/install-deps", "deb")
            root.install("make", "lintian")
            shutil.rmtree(root.path / "root/vigie")
        finally:
            root.close()
        for old in KEPT.glob(f"{release}-build-*"):
            if old != made:
                shutil.rmtree(old)
        made.chmod(0o755)
        made.rename(kept)
    return Root(release, [kept, bare_layer(release)])


def copy_checkout(root):
    target = root.path / "root/vigie"
    shutil.copytree(CHECKOUT, target, symlinks=True, ignore=lambda folder, names: {"build", ".git"} & set(names))
    return target
