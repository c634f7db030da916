/** Style of the status page: light and dark, from 320 px, with the reader's font and size. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #f4f5f7; --card: #fff; --ink: #1c2430; --soft: #566173; --line: #dfe3e9; --link: #1a56c4;
  --tint: #eceff4; --tone: #475569;
}
[data-icon=running] { --tint: #e4edfd; --tone: #1a56c4; }
[data-icon=success] { --tint: #dff3e6; --tone: #15693a; }
[data-icon=failed] { --tint: #fde7e6; --tone: #ad1f1f; }
[data-icon=unknown] { --tint: #fcefd6; --tone: #855006; }
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #10141b; --card: #1a202b; --ink: #edf0f5; --soft: #a4afc0; --line: #303948; --link: #8ab4ff;
    --tint: #2a3341; --tone: #c3ccda;
  }
  [data-icon=running] { --tint: #1d3157; --tone: #9cc0ff; }
  [data-icon=success] { --tint: #153b27; --tone: #83dca6; }
  [data-icon=failed] { --tint: #4a1f22; --tone: #ffb0aa; }
  [data-icon=unknown] { --tint: #45320f; --tone: #f3c872; }
}
* { box-sizing: border-box; margin: 0; }
body {
  min-height: 100vh; min-height: 100svh; padding: clamp(1rem, 5vw, 4rem) 1rem 1.5rem;
  display: flex; flex-direction: column; align-items: center; gap: 1rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  overflow-wrap: anywhere;
}
body > * { width: 100%; max-width: 38rem; }
header, footer { color: var(--soft); font-size: .875rem; padding: 0 .25rem; }
header { font-weight: 600; letter-spacing: .01em; }
main {
  background: var(--card); border: 1px solid var(--line); border-radius: 1rem;
  padding: clamp(1.25rem, 6vw, 2.25rem); box-shadow: 0 1px 2px #0b122010, 0 12px 32px -12px #0b122026;
}
#status {
  display: inline-flex; align-items: center; gap: .5em; padding: .25rem .8rem .25rem .55rem;
  border-radius: 2rem; background: var(--tint); color: var(--tone); font-size: .9375rem; font-weight: 600;
}
svg { width: 1.15em; height: 1.15em; flex: none; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
h1 { font-size: clamp(1.375rem, 5vw, 1.75rem); line-height: 1.25; margin: .9rem 0 0; font-weight: 650; text-wrap: balance; }
p.lead { margin-top: .75rem; color: var(--soft); }
.bar { margin-top: 1.75rem; }
.bar div { display: flex; gap: 1rem; justify-content: space-between; margin-bottom: .5rem; }
#percent { font-variant-numeric: tabular-nums; font-weight: 600; white-space: nowrap; }
progress {
  appearance: none; display: block; width: 100%; height: .75rem; border: 0; border-radius: 1rem;
  overflow: hidden; background: var(--tint); color: var(--tone);
}
progress::-webkit-progress-bar { background: var(--tint); }
progress::-webkit-progress-value { background: var(--tone); border-radius: 1rem; transition: inline-size .6s ease; }
progress::-moz-progress-bar { background: var(--tone); border-radius: 1rem; }
progress:indeterminate { background: linear-gradient(90deg, var(--tint) 25%, var(--tone) 50%, var(--tint) 75%) 0/200%; }
progress:indeterminate::-webkit-progress-bar { background: none; }
progress:indeterminate::-moz-progress-bar { background: none; }
.box { margin-top: 1.5rem; padding: 1rem 1.125rem; border-radius: .75rem; background: var(--tint); }
.box b { color: var(--tone); }
.box p + p { margin-top: .25rem; }
code { font: .9375em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
dl { margin-top: 1.75rem; padding-top: 1.25rem; border-top: 1px solid var(--line); display: grid; gap: .5rem 1.5rem; }
dl > div { display: grid; grid-template-columns: 8.5rem 1fr; gap: 0 1rem; }
dt { color: var(--soft); }
dd { margin: 0; font-variant-numeric: tabular-nums; }
a { color: var(--link); text-underline-offset: .2em; }
a.button {
  display: inline-block; margin-top: 1.25rem; padding: .7rem 1.25rem; border-radius: .625rem; font-weight: 600;
  text-decoration: none; background: var(--link); color: var(--card);
}
a.button:hover { text-decoration: underline; }
.box details { margin-top: .5rem; }
summary { cursor: pointer; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 3px; }
#note:not(:empty) { padding: .75rem 1.125rem; border-radius: .75rem; border: 1px solid var(--line); background: var(--card); }
#note:empty, [data-refresh=""] ~ footer { display: none; }
#announcement { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 26rem) { dl > div { grid-template-columns: 1fr; } }
@media (prefers-reduced-motion: no-preference) {
  [data-icon=running] #shape { transform-origin: center; animation: turn 1.6s linear infinite; }
  progress:indeterminate { animation: slide 2s linear infinite; }
  @keyframes turn { to { transform: rotate(1turn); } }
  @keyframes slide { from { background-position: 200% 0; } to { background-position: 0 0; } }
}
@media (forced-colors: active) {
  #status, .box, progress { border: 1px solid; }
  progress::-webkit-progress-value { background: Highlight; }
}
@media print { body { background: none; } main { box-shadow: none; } }
`;
