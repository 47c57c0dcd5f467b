import nox
VERSIONS = ["2.5.1", "2.7.1"]
@nox.session(python=["3.10", "3.11"])
@nox.parametrize("torch", VERSIONS)
def tests(session, torch):
    session.install(f"torch=={torch}", "torchaudio==2.5.1", *["numpy<2"])
    session.run("pip", "install", "-r", "requirements.txt")
