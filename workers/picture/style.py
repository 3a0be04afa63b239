"""The page's rules of style: readable on a screen, on a telephone and on paper."""

RULES = """
:root{color-scheme:light;--ink:#1f2933;--soft:#5b6875;--line:#dfe6ec;--good:#0b7a4b;--bad:#b0413e}
*{box-sizing:border-box}
body{margin:0;background:#eef2f5;color:var(--ink);line-height:1.5;
font:15px/1.5 system-ui,'PingFang SC','Noto Sans CJK SC','Source Han Sans SC','Microsoft YaHei',sans-serif}
main{max-width:1020px;margin:0 auto;padding:28px 24px 40px;background:#fff}
h1{font-size:24px;line-height:1.25;margin:0 0 2px;overflow-wrap:anywhere}
h2{font-size:17px;margin:30px 0 10px;padding-bottom:4px;border-bottom:2px solid var(--line)}
.sub{color:var(--soft);font-size:13px;font-weight:400;margin:0;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(220px,1fr));gap:12px 24px;margin:18px 0 0}
dt{color:var(--soft);font-size:12px;letter-spacing:.03em}dd{margin:0;overflow-wrap:anywhere}
dl>div:first-child{grid-column:1/-1}
.total{font-weight:700}
svg.map,svg.bars{display:block;width:100%;height:auto;border:1px solid var(--line);border-radius:8px}
.legend{display:flex;flex-wrap:wrap;gap:6px 22px;list-style:none;margin:10px 0 0;padding:0;font-size:13px}
.legend li,td{vertical-align:middle}.legend svg,td svg{vertical-align:-6px}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:14px;margin-top:10px}
th,td{text-align:left;padding:7px 10px;border-bottom:1px solid var(--line)}
thead th{color:var(--soft);font-size:12px;font-weight:600}thead th.n{text-align:right}
tbody th{font-weight:600;overflow-wrap:anywhere}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.v-chosen{color:var(--good);font-weight:700}.v-could_ship_all{color:#1d5fbf}.v-could_ship_some{color:#9a5b00}
.story{list-style:none;margin:0 0 0 6px;padding:0;border-left:3px solid var(--line)}
.story li{position:relative;padding:4px 0 4px 18px;overflow-wrap:anywhere}
.story li::before{content:"";position:absolute;left:-7px;top:11px;width:11px;height:11px;border-radius:50%;
background:#fff;border:3px solid #9fb0bd}
.story time{font-variant-numeric:tabular-nums}.age{color:var(--soft);font-size:12px;margin:0 4px}
.bad{color:var(--bad)}.decision{color:var(--ink)}
footer{margin-top:30px;padding-top:10px;border-top:2px solid var(--line);color:var(--soft);font-size:13px}
footer p{margin:2px 0}
@media(max-width:720px){main{padding:18px 14px}.wide svg.map,.wide svg.bars{min-width:680px}.wide table{min-width:620px}
tbody th,td{overflow-wrap:normal}}
@media print{body{background:#fff}main{max-width:none;padding:0}section{break-inside:avoid}}
"""
