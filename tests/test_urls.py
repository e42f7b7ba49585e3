"""URLs are shown without their secrets, however they are written."""

import string
from contextlib import suppress
from urllib.parse import quote, urlsplit

import pytest
import sqlalchemy
from hypothesis import given, strategies as st

from fitreel.checks.urls import masked, scrubbed

SHOWN = {
    "postgresql://me:secret@host/db": "postgresql://***@host/db",
    "postgresql://me:a/b#c@host:5432/db": "postgresql://***@host:5432/db",
    "postgresql://host/db?user=me&password=secret": "postgresql://host/db?user=***",
    "postgresql://host/db?sslmode=require&sslpassword=a&b=c": (
        "postgresql://host/db?sslmode=require&sslpassword=***"
    ),
    "mssql+pyodbc://?odbc_connect=DRIVER=x;PWD=secret": "mssql+pyodbc://?odbc_connect=***",
    "http://TOKEN@host/path": "http://***@host/path",
    "https://host/path?access_token=TOKEN#x": "https://host/path?access_token=***",
    "https://host/path?X-Amz-Signature=ab&page=2": "https://host/path?X-Amz-Signature=***",
    "http://[::1]:5000/x?page=2": "http://[::1]:5000/x?page=2",
    "sqlite:////home/me@work/mlflow.db": "sqlite:////home/me@work/mlflow.db",
    "mlflow.db": "mlflow.db",
    "databricks": "databricks",
    # Malformed URLs: a part is missing, or no parser understands them.
    "me:secret@host:5000": "***@host:5000",
    "host=there password=secret": "host=there password=***",
    "postgresql://me:secret": "postgresql://***",
    "postgresql://me:se/cret": "postgresql://***",
    "postgresql://me:a?b@host/db": "postgresql://***",
    "http://me:[secret]@host": "http://***@host",
}


@pytest.mark.parametrize("url", SHOWN)
def test_a_url_is_shown_without_its_secrets(url: str) -> None:
    assert masked(url) == SHOWN[url]
    assert masked(masked(url)) == masked(url)


# Characters with a meaning in URLs, and one that occurs nowhere else here.
SECRETS = st.text(string.ascii_uppercase + "/#?&=@:;%+[] ", min_size=3, max_size=20).map(
    lambda text: f"Q{text}Q"
)
WAYS = ("as it is", "quoted")
KEYS = ("password", "passwd", "pwd", "token", "api_key", "sslp%61ssword", "client-secret")
PLACES = {
    "postgresql://me:{}@host:5432/db": "password",
    "mysql+pymysql://{}:{}@host/db?charset=utf8": "both",
    "http://{}@host:5000/path": "token",
    "https://name:{}@host": "password",
    "me:{}@host:5000": "password, no scheme",
    **{f"postgresql://host/db?sslmode=require&{key}={{}}": "option" for key in KEYS},
    **{f"http://host/?{key}={{}}": "option" for key in KEYS},
}


@given(secret=SECRETS, place=st.sampled_from(sorted(PLACES)), way=st.sampled_from(WAYS))
def test_no_part_of_a_secret_is_shown(secret: str, place: str, way: str) -> None:
    written = quote(secret, safe="") if way == "quoted" else secret
    seen = masked(place.replace("{}", written))
    assert not set(seen) & set(string.ascii_uppercase), seen


@given(st.text(string.ascii_letters + "/#?&=@:;%+[]. ", max_size=60))
def test_passwords_found_by_parsers_are_not_shown(text: str) -> None:
    """The parsers decide what a URL means, whatever it looks like."""
    for scheme in ("http", "postgresql"):
        url = f"{scheme}://{text}"
        found = list[str | None]()
        with suppress(ValueError):
            found += [urlsplit(url).password, urlsplit(url).username]
        with suppress(ValueError, sqlalchemy.exc.ArgumentError):
            read = sqlalchemy.make_url(url)
            found += [str(read.password or ""), str(read.username or "")]
        seen = masked(url)
        for secret in filter(None, found):
            assert url.count(secret) > seen.count(secret) or seen == f"{scheme}://***"


def test_messages_about_a_url_lose_its_secrets() -> None:
    url = "postgresql://me:a%2Fsecret@host/db?sslpassword=x/y#z"
    message = f"cannot reach {url}: 'a/secret' and a%2Fsecret, x/y#z refused for me at host"
    assert scrubbed(message, url) == (
        "cannot reach postgresql://***@host/db?sslpassword=***: '***' and ***, *** "
        "refused for me at host"
    )
    assert scrubbed("no TOKEN for http://TOKEN@host/api", "http://TOKEN@host") == (
        "no *** for http://***@host/api"
    )
    # SQLAlchemy takes everything after the first @ as the host, which then is not found.
    url = "postgresql://me:pa@ssword@host/db"
    assert scrubbed('no host "ssword@host"', url) == 'no host "***@host"'


@given(secret=SECRETS.map(str.strip), place=st.sampled_from(sorted(PLACES)))
def test_a_secret_in_a_message_is_not_shown(secret: str, place: str) -> None:
    if "no scheme" in PLACES[place]:
        return
    url = place.replace("{}", quote(secret, safe=""))
    seen = scrubbed(f"{url} refuses '{secret}' ({quote(secret, safe='')})", url)
    assert not set(seen) & set(string.ascii_uppercase), seen
