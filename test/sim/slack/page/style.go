package page

// Style is the style sheet for what this package draws, in light and, with class dark on the body, in dark colors.
const Style = `
:root { --ink: #1d1c1d; --soft: #616061; --paper: #fff; --line: #dddddd; --fill: #f8f8f8; --code: #c01343;
  --link: #1264a3; --mention: #1264a3; --mention-fill: #e8f5fa; --primary: #007a5a; --danger: #e01e5a; }
body.dark { --ink: #d1d2d3; --soft: #ababad; --paper: #1a1d21; --line: #4a4d51; --fill: #222529; --code: #e8912d;
  --link: #1d9bd1; --mention: #1d9bd1; --mention-fill: #20384a; --primary: #007a5a; --danger: #e01e5a; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.47 Lato, Inter, "Noto Sans", "DejaVu Sans",
  "Noto Color Emoji", sans-serif; }
a { color: var(--link); text-decoration: none; }
code { color: var(--code); background: var(--fill); border: 1px solid var(--line); border-radius: 3px; padding: 1px 3px;
  font: 12px "DejaVu Sans Mono", monospace; }
pre { background: var(--fill); border: 1px solid var(--line); border-radius: 4px; padding: 8px; margin: 4px 0;
  font: 12px/1.5 "DejaVu Sans Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
hr { border: 0; border-top: 1px solid var(--line); margin: 16px 0 8px; }
ul { margin: 2px 0; padding-left: 22px; }
.header { font-weight: 900; font-size: 18px; margin: 2px 0 4px; overflow-wrap: anywhere; }
.section, .rich { margin: 4px 0 8px; overflow-wrap: anywhere; white-space: pre-wrap; }
.rich .line { margin: 1px 0; }
.field { display: inline-block; width: 49%; vertical-align: top; }
.context { color: var(--soft); font-size: 13px; margin: 4px 0; }
.mention { color: var(--mention); background: var(--mention-fill); border-radius: 3px; padding: 0 2px; }
.actions { display: flex; flex-wrap: wrap; gap: 8px; margin: 8px 0; }
.actions form { margin: 0; }
.button { display: inline-block; border: 1px solid var(--line); border-radius: 4px; padding: 4px 12px; font: inherit;
  font-size: 13px; font-weight: 700; color: var(--ink); background: var(--paper); cursor: pointer; }
.button.primary { background: var(--primary); border-color: var(--primary); color: #fff; }
.button.danger { border-color: var(--danger); color: var(--danger); }
.modal { border: 1px solid var(--line); border-radius: 8px; max-width: 520px; }
.modal-title { font-weight: 900; font-size: 20px; padding: 16px 20px; border-bottom: 1px solid var(--line); }
.modal-body { padding: 12px 20px; }
.modal-foot { padding: 14px 20px; border-top: 1px solid var(--line); text-align: right; }
.modal-foot .button { margin-left: 8px; }
.input { display: block; margin: 12px 0; }
.input i { color: var(--soft); font-style: normal; }
.input input { display: block; box-sizing: border-box; width: 100%; margin-top: 4px; padding: 8px 10px; font: inherit;
  color: var(--ink); background: var(--paper); border: 1px solid var(--line); border-radius: 4px; }
.input input::placeholder { color: var(--soft); }
.unknown { color: var(--danger); }
.message { display: flex; gap: 10px; padding: 12px 16px; }
.avatar { flex: none; width: 36px; height: 36px; border-radius: 6px; background: #3d5a80; color: #fff; font-weight: 900;
  font-size: 18px; line-height: 36px; text-align: center; }
.from { font-weight: 900; }
.from small { font-weight: 400; font-size: 12px; color: var(--soft); margin-left: 6px; }
.from .app { font-weight: 400; font-size: 10px; background: var(--line); border-radius: 2px; padding: 1px 3px;
  margin-left: 4px; }
.content { flex: 1; min-width: 0; }
`
