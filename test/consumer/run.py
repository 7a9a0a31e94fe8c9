#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Builds and runs the project beside this file as somebody else would: once with us as a
subproject, once with us installed into a prefix and found by pkg-config. It works in a directory
of the build tree, always the same one, so that a second run finds its objects in ccache."""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent

WRAP = """[wrap-file]
directory = tractor

[provide]
dependency_names = trio, tractor
"""


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", required=True, type=pathlib.Path, help="our source tree")
    parser.add_argument("--build", required=True, type=pathlib.Path, help="our build tree")
    parser.add_argument("--sanitize", default="none", help="the build tree's b_sanitize")
    parser.add_argument("compiler", nargs="+", help="the build tree's C++ compiler")
    return parser.parse_args()


def run(*command, **environment):
    print("$", *command, flush=True)
    subprocess.run([str(word) for word in command], check=True, env=os.environ | environment)


def copy_consumer(project):
    project.mkdir(parents=True)
    for file in HERE.iterdir():
        if file.name == "meson.build" or file.suffix == ".cpp":
            shutil.copy(file, project)


def build_and_run(project, options, environment):
    build = project / "build"
    run("meson", "setup", build, project, *options, **environment)
    run("ninja", "-C", build, "-j", len(os.sched_getaffinity(0)))
    run("meson", "test", "-C", build, "--print-errorlogs")


def as_subproject(work, source, options, environment):
    print("== as a subproject", flush=True)
    project = work / "subproject"
    copy_consumer(project)
    subprojects = project / "subprojects"
    subprojects.mkdir()
    (subprojects / "tractor.wrap").write_text(WRAP)
    (subprojects / "tractor").symlink_to(source)
    build_and_run(project, options, environment)


def as_installed_library(work, build, options, environment):
    print("== as an installed library", flush=True)
    project = work / "installed"
    copy_consumer(project)
    destination = project / "destination"
    run("meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", destination)
    (library_folder,) = {file.parent for file in destination.rglob("trio.pc")}
    build_and_run(project, options, environment | {"PKG_CONFIG_PATH": str(library_folder)})


def main():
    arguments = parse_arguments()
    work = arguments.build / "consumer"
    shutil.rmtree(work, ignore_errors=True)
    options = ["--buildtype=debug", f"-Db_sanitize={arguments.sanitize}", "-Db_lundef=false"]
    environment = {"CXX": " ".join(arguments.compiler)}
    try:
        as_subproject(work, arguments.source, options, environment)
        as_installed_library(work, arguments.build, options, environment)
    except subprocess.CalledProcessError as error:
        sys.exit(f"The consumer failed at: {' '.join(map(str, error.cmd))}")
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
