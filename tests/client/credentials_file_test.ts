// The credentials file `~/.deepint.ini`.
import { assertEquals, assertRejects } from "@std/assert";
import { Credentials, DeepintCredentialsError } from "../../mod.ts";
import { found, on } from "../helpers/credentials.ts";

Deno.test("the ini file may have comments, blank lines, spaces, colons and CRLF", async () => {
  const files = [
    "[DEFAULT]\ntoken=file-token\ninstance=file.example",
    "[DEFAULT]\ntoken: file-token\ninstance: file.example\n",
    "[DEFAULT]\r\ntoken = file-token\r\ninstance = file.example\r\n",
    "\n\n  [DEFAULT]  \n\n\ttoken\t=\tfile-token\t\n   instance   :   file.example   \n\n",
    "# token = wrong\n; token = wrong\n[DEFAULT]\n#token = wrong\n;token = wrong\n" +
    "token = file-token\n  # instance = wrong.example\ninstance = file.example\n",
    "[DEFAULT]\ninstance = file.example\nother = 1\ntoken = file-token\n",
    "[DEFAULT]\ntokens = wrong\nmy_token = wrong\ntoken = file-token\ninstance = file.example",
    "\ufeff[DEFAULT]\ntoken = file-token\ninstance = file.example\n",
    "not a line of an ini file\n[DEFAULT]\nnor this\ntoken = file-token\ninstance = file.example",
  ];
  for (const ini of files) {
    assertEquals(await found({ ini }), ["file-token", "file.example"], JSON.stringify(ini));
  }
});

Deno.test("values in the ini file may contain =, :, # and ;", async () => {
  const ini = "[DEFAULT]\ntoken = eyJ0.a=b:c==#d;e\ninstance: http://127.0.0.1:8000\n";
  assertEquals(await found({ ini }), ["eyJ0.a=b:c==#d;e", "http://127.0.0.1:8000"]);
});

Deno.test("only the section [DEFAULT] of the ini file counts", async () => {
  const files = [
    "token = wrong",
    "[default]\ntoken = wrong",
    "[OTHER]\ntoken = wrong",
    "[DEFAULT]\n[OTHER]\ntoken = wrong",
    "[DEFAULT2]\ntoken = wrong",
    "[DEFAULT]\ntoken =\n",
    "[DEFAULT]\ntoken\n",
    "[DEFAULT]\n# token = wrong\n",
    "",
  ];
  for (const ini of files) {
    const build = () => assertRejects(() => Credentials.build(), DeepintCredentialsError);
    assertEquals((await on({ ini }, build)).code, "CREDENTIALS_NOT_FOUND", JSON.stringify(ini));
  }
  const ini =
    "token = wrong\n[A]\ntoken = wrong\n[DEFAULT]\ntoken = file-token\n[B]\ntoken = wrong";
  assertEquals(await found({ ini }), ["file-token", "app.deepint.net"]);
});
