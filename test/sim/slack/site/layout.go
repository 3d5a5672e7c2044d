package site

import "html/template"

// layout is the page. Without JavaScript it is read again every five seconds.
var layout = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Title}} · simulated Slack</title>
<link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width">
<noscript><meta http-equiv="refresh" content="5"></noscript>
<style>{{.Style}}</style></head>
<body data-path="{{.Path}}" data-stamp="{{.Stamp}}">
<nav>
<h1>Acme <small>simulated Slack</small></h1>
<h2>You are</h2>
{{range .People}}<a class="item{{if .Here}} here{{end}}" href="{{.Address}}">{{.Name}}{{with .Note}} <small>{{.}}</small>{{end}}</a>
{{end}}<h2>Where</h2>
{{range .Channels}}<a class="item{{if .Here}} here{{end}}" href="{{.Address}}">{{.Name}}{{with .Note}} <small>{{.}}</small>{{end}}</a>
{{end}}<form method="post" action="{{.Path}}/home"><input type="hidden" name="as" value="{{.Place.User}}">
<input type="hidden" name="open" value="home">
<button class="item{{if .Home}} here{{end}}">Seraph <small>home tab</small></button></form>
{{if .Scenarios}}<h2>CircleCI</h2>
<form method="post" action="{{.Path}}/expect"><input type="hidden" name="as" value="{{.Place.User}}">
<input type="hidden" name="in" value="{{.Place.Channel}}">
<label>The next pipeline of api
<select name="scenario">{{range .Scenarios}}<option value="{{.Name}}">{{.About}}</option>{{end}}</select></label>
<button class="small">Do that</button></form>{{end}}
</nav>
<main>
<header>{{.Title}}</header>
<div id="log">
{{if .Said}}<p class="said">{{.Said}}</p>{{end}}
{{if .Home}}<div class="home">{{.Home}}</div>{{else}}
{{range .Messages}}{{template "message" .}}
{{if or .Replies (not (or .Private .Also))}}<div class="thread">{{range .Replies}}{{template "message" .}}{{end}}
<details><summary>Reply in thread</summary><form method="post" action="{{$.Path}}/say">
<input type="hidden" name="as" value="{{$.Place.User}}"><input type="hidden" name="in" value="{{$.Place.Channel}}">
<input type="hidden" name="thread" value="{{.TS}}">
<input name="text" autocomplete="off" placeholder="@seraph status"><button class="small">Send</button></form></details></div>{{end}}
{{else}}<p class="empty">Nobody has written anything here yet. Try <code>/deploy api to staging</code>.</p>{{end}}{{end}}
</div>
{{if not .Home}}<form id="say" method="post" action="{{.Path}}/say"><input type="hidden" name="as" value="{{.Place.User}}">
<input type="hidden" name="in" value="{{.Place.Channel}}">
<input name="text" autocomplete="off" {{if not .Modal}}autofocus {{end}}placeholder="{{.Hint}}"><button class="small">Send</button></form>{{end}}
</main>
<div id="over">{{with .Modal}}<div class="shade"></div><form class="dialog" method="post" action="{{$.Path}}/submit" data-key="{{.Key}}">
<input type="hidden" name="as" value="{{$.Place.User}}"><input type="hidden" name="in" value="{{$.Place.Channel}}">
<input type="hidden" name="view" value="{{.View}}"><button name="submit" value="1" class="default" tabindex="-1"></button>
{{if $.Said}}<p class="said">{{$.Said}}</p>{{end}}{{.HTML}}</form>{{end}}</div>
<script>{{.Script}}</script>
</body></html>
{{define "message"}}<div class="message{{if .Private}} private{{end}}"><div class="avatar{{if .App}} bot{{end}}">{{.Letter}}</div>
<div class="content">{{if .Private}}<div class="context">Only visible to you</div>{{end}}{{if .Also}}<div class="context">replied to a thread</div>{{end}}
<div class="from">{{.From}}{{if .App}}<span class="app">APP</span>{{end}}<small>{{.At}}{{if .Edited}} · edited{{end}}</small></div>
{{.Content}}</div></div>{{end}}
`))

// style adds to that of package page.
const style = `
body { display: flex; height: 100vh; overflow: hidden; }
nav { flex: none; width: 230px; box-sizing: border-box; padding: 12px; background: #3f2a47; color: #e8dcec; overflow-y: auto; }
nav h1 { font-size: 18px; margin: 0 0 8px; }
nav h1 small { display: block; font-size: 12px; font-weight: 400; opacity: .8; }
nav h2 { font-size: 12px; margin: 16px 0 4px; text-transform: uppercase; opacity: .7; }
nav small { font-weight: 400; opacity: .75; }
.item { display: block; width: 100%; box-sizing: border-box; padding: 4px 8px; border: 0; border-radius: 6px; color: inherit;
  background: none; font: inherit; text-align: left; cursor: pointer; }
.item:hover { background: #543a5e; }
.item.here { background: #1264a3; color: #fff; }
nav label { display: block; font-size: 13px; }
nav select { width: 100%; margin: 4px 0; font: inherit; font-size: 13px; }
main { flex: 1; min-width: 0; display: flex; flex-direction: column; }
header { padding: 10px 16px; font-weight: 900; font-size: 18px; border-bottom: 1px solid var(--line); }
#log { flex: 1; overflow-y: auto; padding-bottom: 8px; }
#say, details form { display: flex; gap: 8px; }
#say { padding: 10px 16px 16px; }
#say input[name=text], details input[name=text] { flex: 1; padding: 9px 12px; font: inherit; border: 1px solid var(--line);
  border-radius: 8px; }
.small { padding: 4px 14px; border: 0; border-radius: 6px; background: #007a5a; color: #fff; font: inherit; font-weight: 700;
  cursor: pointer; }
.avatar.bot { background: #6b3fa0; }
.private { background: #fff8e6; }
.thread { margin: -6px 0 6px 46px; border-left: 2px solid var(--line); }
.thread .message { padding: 6px 16px; }
.thread details { padding: 2px 16px; font-size: 13px; color: var(--link); }
.said { margin: 8px 16px; padding: 8px 12px; border-radius: 6px; background: #fdecef; color: #a1122f; }
.empty, .home { padding: 12px 16px; }
.shade { position: fixed; inset: 0; background: rgba(0, 0, 0, .45); }
.dialog { position: fixed; left: 50%; top: 8vh; width: 520px; max-width: 94vw; max-height: 84vh; overflow-y: auto;
  transform: translateX(-50%); border-radius: 8px; background: var(--paper); }
.default { position: absolute; left: -999px; }
`

// script follows changes, and asks before a button that wants that is pressed. What somebody types into is not replaced.
const script = `
const log = document.getElementById("log"), over = document.getElementById("over");
log.scrollTop = log.scrollHeight;
const focus = () => over.querySelector("input[type=text]")?.focus();
focus();
document.addEventListener("submit", e => {
  const ask = e.target.dataset.confirm;
  if (ask && !confirm(ask)) e.preventDefault();
});
async function follow() {
  for (;;) {
    try {
      await fetch(document.body.dataset.path + "/changed?after=" + encodeURIComponent(document.body.dataset.stamp));
      const address = new URL(location.href);
      address.searchParams.delete("said");
      const answer = await fetch(address);
      if (!answer.ok) throw new Error(answer.status);
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      const busy = document.activeElement && log.contains(document.activeElement) && document.activeElement.name === "text";
      if (!busy && next.body.dataset.stamp !== document.body.dataset.stamp) {
        const atEnd = log.scrollTop + log.clientHeight > log.scrollHeight - 60;
        const said = log.querySelector(".said");
        log.innerHTML = next.getElementById("log").innerHTML;
        if (said) log.prepend(said);
        if (atEnd) log.scrollTop = log.scrollHeight;
        const key = d => d.querySelector(".dialog")?.dataset.key;
        if (key(next.getElementById("over")) !== key(over)) {
          over.innerHTML = next.getElementById("over").innerHTML;
          focus();
        }
        document.body.dataset.stamp = next.body.dataset.stamp;
      } else {
        await new Promise(done => setTimeout(done, 300));
      }
    } catch (e) {
      await new Promise(done => setTimeout(done, 2000));
    }
  }
}
follow();
`
