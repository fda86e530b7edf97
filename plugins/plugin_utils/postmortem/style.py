# SPDX-License-Identifier: GPL-3.0-or-later
"""How the page looks: on a screen, light and dark, and on paper."""

from __future__ import annotations

_LIGHT = """color-scheme:light;--paper:#fff;--ink:#1c2128;--soft:#59636e;--rule:#d5dae0;--tint:#f4f6f8;
--red:#c0261f;--amber:#9a6100;--green:#1a7036;--blue:#0a5ec4;--violet:#7a3fc4;--gap:#fff3c4;--gapink:#6b4e00;
--open:#f5b8b2;--acknowledged:#f8dca0;--contained:#bcd9f7;--resolved:#bde5c6;--closed:#dde2e7"""
_DARK = """color-scheme:dark;--paper:#14181d;--ink:#e4e8ec;--soft:#9aa5b1;--rule:#363d46;--tint:#1c2127;
--red:#ff8078;--amber:#e8b04a;--green:#62cc80;--blue:#6cb0ff;--violet:#c29bff;--gap:#453808;--gapink:#ffe08a;
--open:#752a26;--acknowledged:#65490d;--contained:#1d4a78;--resolved:#1d5a30;--closed:#3a424b"""

STYLE = (
    f":root{{{_LIGHT}}}\n"
    f"@media screen and (prefers-color-scheme:dark){{:root{{{_DARK}}}}}\n"
    """*{box-sizing:border-box}
body{margin:0 auto;padding:2rem 1.25rem 4rem;max-width:68rem;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,"Segoe UI",Roboto,"Noto Sans",sans-serif}
h1{font-size:1.7rem;line-height:1.25;margin:0 0 .5rem}
h2{font-size:1.2rem;margin:2.2rem 0 .6rem;padding-bottom:.2rem;border-bottom:1px solid var(--rule)}
h3{font-size:1rem;margin:1.4rem 0 .4rem}
h1,h2,h3,td,th,li,p{overflow-wrap:break-word;unicode-bidi:isolate}
td.long,td.name,h1,h3,li,p{overflow-wrap:anywhere}
p{margin:.4rem 0}ul{margin:.4rem 0;padding-left:1.2rem}.soft{color:var(--soft)}
.fields{display:grid;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr));gap:.1rem 1.5rem;margin:1rem 0}
.fields div{border-top:1px solid var(--rule);padding:.35rem 0}
.fields dt{color:var(--soft);font-size:.8rem}.fields dd{margin:0;overflow-wrap:anywhere;unicode-bidi:isolate}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.87rem}
th{text-align:left;color:var(--soft);font-weight:600;white-space:nowrap}
th,td{padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--rule);vertical-align:top}
td.time{white-space:nowrap;font-variant-numeric:tabular-nums}
td.long{min-width:16rem}td.name{min-width:9.5rem}tr{break-inside:avoid}thead{display:table-header-group}
.tag{font-weight:600}.critical,.late,.failed,.failure,.worse{color:var(--red)}
.warning,.refused,.refusal,.unchanged{color:var(--amber)}.undone{color:var(--violet)}
.done,.gone,.kept,.improved{color:var(--green)}
mark{background:var(--gap);color:var(--gapink);padding:.1rem .35rem;border-radius:.2rem;font-weight:600}
.gap{background:var(--gap);color:var(--gapink);border-left:4px solid var(--amber);padding:.5rem .8rem;
margin:.5rem 0;min-height:4rem}
.alarm{border:2px solid var(--red);padding:.6rem .9rem;margin:1rem 0}.alarm strong{color:var(--red)}
pre{background:var(--tint);padding:.7rem .9rem;overflow-x:auto;font:12.5px/1.5 ui-monospace,Consolas,
"DejaVu Sans Mono",monospace;unicode-bidi:isolate}
.drawn{overflow-x:auto}svg.timeline{display:block;width:100%;min-width:44rem;height:auto}
svg text{font-size:11.5px;fill:var(--ink)}svg .lane{text-anchor:end;fill:var(--soft)}
svg .tick{text-anchor:middle;fill:var(--soft);font-size:11px}svg .phase{text-anchor:middle}
svg .count{font-size:9.5px;text-anchor:middle;fill:var(--soft)}
svg .grid{stroke:var(--rule);stroke-dasharray:1 3}
svg .line{stroke:var(--rule)}svg .pause{fill:var(--tint)}svg .band{stroke:var(--paper)}
svg path.due{stroke:var(--soft);stroke-dasharray:5 3}svg text.due{fill:var(--soft)}
svg path.missed{stroke:var(--red)}svg text.missed{fill:var(--red)}
svg .detected,svg .open{fill:var(--open)}svg .acknowledged{fill:var(--acknowledged)}
svg .contained{fill:var(--contained)}svg .resolved{fill:var(--resolved)}svg .closed{fill:var(--closed)}
svg .mark{fill:var(--blue);stroke:var(--paper);stroke-width:.8}svg .phase.mark{fill:var(--ink)}
svg .decision,svg .note{fill:var(--violet)}svg .finding{fill:var(--amber)}svg .verdict{fill:var(--green)}
svg .act{fill:var(--green)}svg .refusal{fill:var(--amber)}svg .failure,svg .message.late{fill:var(--red)}
svg .act.undone{fill:var(--paper);stroke:var(--violet);stroke-width:2}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;font-size:.8rem;color:var(--soft);margin:.3rem 0 1rem}
.legend svg{vertical-align:-2px}
@media print{@page{margin:15mm}body{max-width:none;padding:0;font-size:10.5pt}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}h2,h3{break-after:avoid}
.gap{min-height:6rem;break-inside:avoid}.drawn,.wide{overflow:visible}svg.timeline{min-width:0;break-inside:avoid}
pre{white-space:pre-wrap}}
"""
)
