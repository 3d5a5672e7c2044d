// An app of Bolt, Slack's own framework, as its documentation writes one. It prints one line of JSON for each thing that
// it was asked, and the first line once it listens.
import bolt from "@slack/bolt";

const { App, LogLevel } = bolt;
const print = (line) => console.log(JSON.stringify(line));
const plain = (text) => ({ type: "plain_text", text });

const app = new App({
  token: process.env.SLACK_BOT_TOKEN,
  signingSecret: process.env.SLACK_SIGNING_SECRET,
  logLevel: LogLevel.ERROR,
  clientOptions: { slackApiUrl: process.env.SLACK_API_URL },
});

const card = (text) => [
  { type: "header", text: plain(text) },
  {
    type: "actions",
    elements: [
      { type: "button", action_id: "approve", text: plain("Approve"), value: "v1 7", style: "primary" },
      { type: "button", action_id: "open", text: plain("Open"), url: "https://example.com/" },
    ],
  },
];

app.command("/deploy", async ({ command, ack, respond }) => {
  await ack(`asked for ${command.text}`);
  await respond({ text: "started", response_type: "in_channel" });
  print({ kind: "command", text: command.text, user: command.user_id, team: command.team_id });
});

app.event("app_mention", async ({ event, context, say }) => {
  const posted = await say({
    text: `for <@${event.user}>`,
    blocks: card("waits"),
    thread_ts: event.thread_ts,
    metadata: { event_type: "seraph_card", event_payload: { key: event.ts } },
  });
  print({ kind: "mention", text: event.text, retry: context.retryNum ?? 0, ts: posted.ts });
});

app.message("ping", async ({ message, say }) => {
  await say(`pong ${message.channel_type}`);
  print({ kind: "message", user: message.user, bot: message.bot_id ?? "" });
});

app.event("app_home_opened", async ({ event, client }) => {
  const published = await client.views.publish({
    user_id: event.user,
    view: { type: "home", blocks: [{ type: "section", text: { type: "mrkdwn", text: "nothing runs" } }] },
  });
  print({ kind: "home", user: event.user, view: published.view.id });
});

app.action("approve", async ({ ack, action, body, client, respond }) => {
  await ack();
  const opened = await client.views.open({
    trigger_id: body.trigger_id,
    view: {
      type: "modal",
      callback_id: "confirm",
      private_metadata: JSON.stringify({ channel: body.channel.id, ts: body.message.ts }),
      title: plain("Sure?"),
      submit: plain("Approve"),
      blocks: [
        {
          type: "input",
          block_id: "word",
          label: plain("Environment"),
          element: { type: "plain_text_input", action_id: "typed", max_length: 20 },
        },
      ],
    },
  });
  await respond({ text: "look at the dialog", replace_original: false });
  print({ kind: "action", value: action.value, user: body.user.id, view: opened.view.id });
});

app.action("open", async ({ ack, body }) => {
  await ack();
  print({ kind: "link", user: body.user.id });
});

app.view("confirm", async ({ ack, view, body, client }) => {
  const typed = view.state.values.word.typed.value;
  if (typed !== "production") {
    await ack({ response_action: "errors", errors: { word: "type production" } });
    return;
  }
  await ack();
  const { channel, ts } = JSON.parse(view.private_metadata);
  await client.chat.update({ channel, ts, text: "approved", blocks: card("approved") });
  await client.chat.postMessage({ channel, thread_ts: ts, text: "by dialog", reply_broadcast: true });
  const thread = await client.conversations.replies({ channel, ts, include_all_metadata: true });
  const who = await client.users.info({ user: body.user.id });
  print({
    kind: "view",
    typed,
    replies: thread.messages.length - 1,
    key: thread.messages[0].metadata.event_payload.key,
    guest: who.user.is_restricted,
  });
});

app.error(async (error) => print({ kind: "error", message: error.message, data: error.data }));

const server = await app.start({ port: 0, host: "127.0.0.1" });
print({ kind: "listens", port: server.address().port });
