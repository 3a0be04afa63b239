"""The page that a signer's link opens, in Chinese and English. It works without scripts."""

from html import escape

_PAGE = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">
<style>body{{font:16px/1.6 sans-serif;max-width:40em;margin:2em auto;padding:0 1em}}
form{{margin:1.5em 0}}textarea{{width:100%}}.test{{color:#a00}}</style></head><body>
{body}
<p class="test">测试环境：此处的签名没有法律效力。 A sandbox: what is signed here has no legal effect.</p>
</body></html>"""
_OPEN = """<h1>{title}</h1>
<p>签署人 Signer: {name}（{organisation}）</p>
<p><a href="{path}/document">阅读文件（PDF） Read the document (PDF)</a></p>
<form method="post" action="{path}/signature"><button>我已阅读并同意签署 I have read it, and I sign it</button></form>
<form method="post" action="{path}/refusal">
<label for="reason">拒绝原因 Why you decline</label>
<textarea id="reason" name="reason" maxlength="500" required></textarea>
<button>拒绝签署 I decline to sign</button></form>"""


def signing_page(path: str, title: str, name: str, organisation: str) -> str:
    """`path`: of the link."""
    shown = {"path": path, "title": title, "name": name, "organisation": organisation}
    return _PAGE.format(title=escape(title), body=_OPEN.format(**{key: escape(value) for key, value in shown.items()}))


def said_page(chinese: str, english: str) -> str:
    words = f"<h1>{escape(chinese)}</h1><p>{escape(english)}</p>"
    return _PAGE.format(title=escape(english), body=words)
