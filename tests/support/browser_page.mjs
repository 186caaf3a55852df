// Shows a page in Chromium, runs a script in it, and prints what the script returns.
// Arguments: the folder of packages, the page's URL, the script, and a host name that resolves to 127.0.0.1.
import { createRequire } from "node:module";

const [packages, url, script, host] = process.argv.slice(2);
const require = createRequire(`${packages}/`);
const { chromium: browsers } = require("playwright-core");
const { default: chromium } = await import(require.resolve("@sparticuz/chromium"));

const browser = await browsers.launch({
  executablePath: await chromium.executablePath(),
  // Not the package's own arguments: they disable what the tests are about.
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", `--host-resolver-rules=MAP ${host} 127.0.0.1`],
  timeout: 60_000,
});
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  await page.goto(url);
  console.log(JSON.stringify(await page.evaluate(script)));
} finally {
  await browser.close();
}
