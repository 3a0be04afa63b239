"""The page on which a browser that shows Temporal's UI signs in to the codec. It loads nothing and runs nothing."""

from html import escape

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Tongqu · codec</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem }}
input, button {{ font: inherit; padding: .4rem .6rem }}
input {{ width: 24rem; max-width: 100% }}
code {{ background: #eee; padding: 0 .3em }}
</style></head>
<body>
<h1>Reading what workflows say</h1>
<p lang="zh">查看工作流内容</p>
{signed_in}
<form method="post" action="/codec/session">
<p><label>API key with the scope <code>codec:read</code> <span lang="zh">(API 密钥)</span><br>
<input type="password" name="key" autocomplete="off" required></label>
<button>Sign in · <span lang="zh">登录</span></button></p>
</form>
<h2>In the UI, once for each browser</h2>
<ol>
<li>Open {ui} <span lang="zh">(打开 Temporal UI)</span>, and in it “Codec Server”, the glasses at the top right.</li>
<li>Choose “Use my browser setting and ignore Cluster-level setting”
    <span lang="zh">(使用浏览器设置)</span>.</li>
<li>Endpoint <span lang="zh">(地址)</span>: <code>{own}/codec</code></li>
<li>Tick “Include cross-origin credentials” <span lang="zh">(包含跨域凭证)</span>, and apply.</li>
</ol>
<p>Cookies go only from pages on the same host name: open both by the name that is shown here.
<span lang="zh">请使用相同的主机名打开两个页面。</span></p>
</body></html>
"""


def page(own: str, ui_origin: str | None, name: str | None = None) -> str:
    """`own`: the origin of this gateway. `name`: of the key that was just signed in with."""
    ui = f'<a href="{escape(ui_origin)}">{escape(ui_origin)}</a>' if ui_origin else "Temporal’s UI"
    said = "<p><strong>Signed in as {}, for eight hours. <span lang='zh'>已登录。</span></strong></p>"
    return _PAGE.format(own=escape(own), ui=ui, signed_in=said.format(escape(name)) if name else "")
