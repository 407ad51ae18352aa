"""`python -m gitops_sre` is `gitops-sre`."""

from gitops_sre.cli.main import entry

if __name__ == "__main__":
    entry()
