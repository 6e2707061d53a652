# SPDX-License-Identifier: Apache-2.0
import secrets

import docker
import pytest
from sandbox_world import CACHE, sh

from yett.sandbox.images import PACKAGES_LABEL, build_base, build_base_from, build_own
from yett.sandbox.images.packages import wanted_packages
from yett.sandbox.verify import verify_hardening

BASE = "yett/base:latest"
WORK = """
set -eu
cd /workspace
git init -q . && git config user.email a@b && git config user.name a
printf 'one\\nneedle\\n' > a.txt && git add . && git commit -qm first && git log --oneline | wc -l
rg --json needle . | jq -r 'select(.type=="match").data.line_number'
python3 -c 'import ssl, sqlite3, subprocess; print(len(ssl.create_default_context().get_ca_certs()) > 50)'
bash -c 'echo ${BASH_VERSION%%.*}'
curl --version >/dev/null && curl -s --max-time 5 http://192.0.2.1/ || echo unreachable
"""


@pytest.fixture
def client():
    found = docker.APIClient(timeout=60)
    yield found
    found.close()


def test_it_is_there_and_a_second_build_has_nothing_to_do(store):
    built = build_base(store, cache=CACHE)
    assert (built.name, built.new) == (BASE, False)
    assert [word.partition("=")[0] for word in built.packages] == list(wanted_packages())


@pytest.mark.anyio
async def test_what_agents_use_works_in_it_under_every_control(sandboxes_of, settings_of):
    async with sandboxes_of(image=BASE) as pool, pool.lease("s") as box:
        done = await box.run(sh(WORK))
        assert done.stdout.split() == [b"1", b"2", b"True", b"5", b"unreachable"], done.stderr
        controls = await verify_hardening(box, settings_of(image=BASE))
    assert [c for c in controls if not c.ok] == []


@pytest.mark.anyio
async def test_it_holds_no_setuid_file_nothing_young_and_no_word_of_the_machine_it_was_made_on(sandboxes_of):
    script = """
    find / -xdev -perm /6000
    # What the engine makes itself for each container is not of the image.
    made='/etc/(hosts|hostname|resolv.conf)|/run/yett.sock|/.dockerenv'
    find / -xdev -type f -newermt 2025-01-01T00:00:01Z | grep -vxE "$made"
    ls /var/lib/apt/lists /var/cache/apt /var/log /usr/share/man /usr/share/locale 2>/dev/null | grep -v ':$'
    cat /etc/machine-id
    """
    async with sandboxes_of(image=BASE) as pool, pool.lease("s") as box:
        done = await box.run(sh(script))
        listed = await box.run(sh("cat /etc/yett/packages"))
    assert done.stdout.split() == []
    assert b"python3 3." in listed.stdout
    assert len(listed.stdout.splitlines()) > 50


def test_the_dockerfile_makes_the_same_on_an_image_the_engine_has(store, client):
    """Stands for `--from debian:12-slim`, which needs a registry: the base itself is a Debian 12, too."""
    tag = f"test-{secrets.token_hex(4)}"
    try:
        lines = []
        built = build_base_from(
            store, BASE, cache=CACHE, tag=tag, network="host", on_step=lambda step: lines.append(step.detail)
        )
        assert built.new
        assert [word.partition("=")[0] for word in built.packages] == list(wanted_packages())
        assert any("apt-get install" in line for line in lines)
        assert not build_base_from(store, BASE, cache=CACHE, tag=tag).new
        config = client.inspect_image(built.name)["Config"]
        assert (config["User"], config["Entrypoint"]) == ("60871:60871", ["/yett-runner"])
        assert store.inspect(f"yett/base:{tag}-unfinished") is None
    finally:
        store.remove(f"yett/base:{tag}")


def test_an_image_made_of_it_keeps_its_list_of_packages(store, client):
    name = f"yett-test/{secrets.token_hex(4)}:made"
    try:
        built = build_own(store, BASE, name=name, cache=CACHE)
        assert client.inspect_image(name)["Config"]["Labels"][PACKAGES_LABEL].split() == list(built.packages)
        assert built.notes == ()
    finally:
        store.remove(name)
