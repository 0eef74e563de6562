"""Image URLs: public http(s) addresses are accepted by their syntax, private ones refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine_gateway.videos.request.image_url import MAX_URL, InvalidImageUrl, normalize_image_url


def problem(url: str, allowed: frozenset[str] = frozenset()) -> str | None:
    """What is said against `url`, or None."""
    try:
        normalize_image_url(url, allowed)
    except InvalidImageUrl as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    "url",
    [
        "https://images.example.com/cat.jpg",
        "http://images.example.com:8080/cat.jpg?size=large#top",
        "https://8.8.8.8/cat.jpg",
        "https://[2606:4700:4700::1111]/cat.jpg",
        "https://my_bucket.s3.example.com/a/../cat.jpg?X-Amz-Signature=%c3%A9+%7E~'()*[]",
        "https://xn--bcher-kva.example/cat.jpg",
        "https://0x.example.com/cat.jpg",
        "https://127.example.com/cat.jpg",
        "https://images.example.com",
        "https://images.example.com/cat.jpg?",
    ],
)
def test_normalised_url_is_unchanged(url: str) -> None:
    assert normalize_image_url(url) == url.removesuffix("?")


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("HTTPS://IMAGES.EXAMPLE.COM/Cat.JPG", "https://images.example.com/Cat.JPG"),
        ("https://images.example.com:443/cat.jpg", "https://images.example.com/cat.jpg"),
        ("http://images.example.com:80/cat.jpg", "http://images.example.com/cat.jpg"),
        ("http://images.example.com:443/cat.jpg", "http://images.example.com:443/cat.jpg"),
        ("http://images.example.com:/cat.jpg", "http://images.example.com/cat.jpg"),
        ("https://images.example.com./cat.jpg", "https://images.example.com/cat.jpg"),
        ("https://images。example。com/cat.jpg", "https://images.example.com/cat.jpg"),
        ("https://bücher.example/katze.jpg", "https://xn--bcher-kva.example/katze.jpg"),
        (
            "https://例子.example/猫.jpg?q=é#ü",
            "https://xn--fsqu00a.example/%E7%8C%AB.jpg?q=%C3%A9#%C3%BC",
        ),
        (
            "https://010.8.8.8/cat.jpg",
            "https://8.8.8.8/cat.jpg",
        ),  # 10.8.8.8 to a parser without octal numbers
        ("https://134744072/cat.jpg", "https://8.8.8.8/cat.jpg"),
        ("https://[2606:4700:4700:0::1111]:443/c", "https://[2606:4700:4700::1111]/c"),
    ],
)
def test_urls_are_normalised(url: str, normal: str) -> None:
    assert normalize_image_url(url) == normal
    assert normalize_image_url(normal) == normal


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0",
        "0.0.0.0",  # noqa: S104  refused, not bound
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "127。0。0。1",
        "１２７.0.0.1",
        "①②⑦.⓪.⓪.①",
        "10.0.0.8",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.0.1",
        "192.88.99.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "256.1.1.1",
        "1.2.3.4.5",
        "4294967296",
        "09.1.1.1",
        "0x",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:8.8.8.8]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:0:4136::1]",
        "[2001:db8::1]",
        "[fe80::1]",
        "[fc00::1]",
        "[ff02::1]",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "foo.localhost",
        "intranet",
        "printer.local",
        "metadata.google.internal",
        "router.lan",
        "nas.home.arpa",
        "home.arpa",
        "1.0.0.127.in-addr.arpa",
    ],
)
def test_private_and_special_addresses_are_refused(host: str) -> None:
    found = problem(f"http://{host}/cat.jpg")

    assert found is not None
    assert "private" in found


@pytest.mark.parametrize(
    "url",
    [
        "",
        "cat.jpg",
        "//images.example.com/cat.jpg",
        "ftp://images.example.com/cat.jpg",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "http://",
        "http:///cat.jpg",
        "http://user@images.example.com/",
        "http://user:password@images.example.com/",
        "http://@images.example.com/",
        "http://images.example.com@127.0.0.1/",
        "http://images.example.com:99999/",
        "http://images.example.com:port/",
        "http://[::1/",
        "http://[::1%25lo]/",
        "http://[fe80::1%25eth0]/",
        "http://images%2eexample.com/",
        "http://images.example.com\\@127.0.0.1/",
        "http://images.example.com/a b",
        "http://images.example.com/a\r\nHost: x",
        "http://images.example.com/\x00",
        "http://images.example.com/\ud800",
        " http://images.example.com/",
        "http://images..example.com/",
        "http://-+.example.com/",
        "http://" + "a" * 64 + ".example.com/",
        "http://" + "a." * 130 + "com/",
        "https://images.example.com/" + "a" * MAX_URL,
        "https://images.example.com/" + "猫" * 300,
        "http://images.example.com:0/\u00a0",
        "http://images.example.com/\u200b",
        "http://images.example.com/\u202e",
    ],
)
def test_invalid_urls_are_refused(url: str) -> None:
    assert problem(url) is not None


def test_a_sandbox_may_allow_one_host_and_port() -> None:
    allowed = frozenset({"127.0.0.1:9001", "emulator:80", "[::1]:80"})

    assert normalize_image_url("http://127.0.0.1:9001/cat.png", allowed) == "http://127.0.0.1:9001/cat.png"
    assert normalize_image_url("HTTP://Emulator:80/cat.png", allowed) == "http://emulator/cat.png"
    assert (
        normalize_image_url("http://emulator/cat.png", frozenset({"Emulator:80"}))
        == "http://emulator/cat.png"
    )
    assert problem("http://[::1]/cat.png", allowed) is None
    assert problem("http://127.0.0.1:9002/cat.png", allowed) is not None
    assert problem("https://emulator/cat.png", allowed) is not None
    assert problem("http://user@127.0.0.1:9001/cat.png", allowed) is not None


@given(st.text() | st.text().map("http://{}".format) | st.text().map("https://{}/x".format))
def test_any_text_is_refused_or_has_one_normal_form(url: str) -> None:
    if problem(url) is None:
        assert normalize_image_url(url).isascii()
        assert normalize_image_url(normalize_image_url(url)) == normalize_image_url(url)
