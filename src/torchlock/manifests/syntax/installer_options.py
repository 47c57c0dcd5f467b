"""Options of pip, uv, conda, poetry and other installers."""

from __future__ import annotations

CLONE_VALUED = {"-b", "--branch", "--depth", "-c", "--config", "-j", "--jobs", "-o", "--origin", "--filter"}
# The index options of pip and uv.
INDEX_OPTIONS = {
    "-i": "index",
    "--index-url": "index",
    "--pypi-url": "index",
    "--default-index": "index",
    "--extra-index-url": "extra",
    "--index": "extra",
    "-f": "find-links",
    "--find-links": "find-links",
}
_OPTIONS = """
    -r -c -e -t -C -p -P -n -g -G -E --requirement --requirements --constraint --constraints --editable --target
    --prefix --root --src --platform --python-version --implementation --abi --python --progress-bar --retries
    --timeout --default-timeout --cache-dir --proxy --cert --client-cert --upgrade-strategy --no-binary
    --only-binary --global-option --install-option --build-option --config-settings --config-setting --report --log
    --use-feature
    --use-deprecated --trusted-host --allow-insecure-host --torch-backend --override --overrides --extra --group
    --exclude-newer --resolution --prerelease --index-strategy --keyring-provider --upgrade-package
    --reinstall-package --refresh-package --no-build-isolation-package --link-mode --script --package --directory
    --project --color --config-file --python-platform --root-user-action --source --rev --tag --branch --bounds
    --build-constraint --no-binary-package --exists-action --build --path --manifest-path --feature --environment
    --suffix --pip-args --backend --only-group --no-group --env-file --with-editable --categories"""
_CONDA_OPTIONS = "-n -p -c -f --name --prefix --channel --file --solver --repodata-fn --root-prefix"
# Options whose value is the next word.
VALUED = {*_OPTIONS.split(), *INDEX_OPTIONS}
CONDA_VALUED = {*_CONDA_OPTIONS.split()}
NO_DEPS = {"--no-deps", "--no-dependencies"}
# Options with which an installer installs nothing.
SHOWS_ONLY = {"--dry-run", "--download-only", "--help"}
