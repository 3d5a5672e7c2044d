// Runs one service of emulate until the standard input ends. Its first line says which one, and with what:
// {"service": "slack", "seed": {…}}. Prints the address of the service.
import { createInterface } from "node:readline";
import { createEmulator } from "emulate";

const lines = createInterface({ input: process.stdin });
lines.once("line", async (line) => {
  const { service, seed } = JSON.parse(line);
  const emulator = await createEmulator({ service, seed, port: 0 });
  console.log(emulator.url);
});
lines.once("close", () => process.exit(0));
