// play.mjs BROWSER FOLDER   what Chromium makes of clips: it plays each to its end without an error, and wherever it is sent
// it shows the frame that belongs there. FOLDER has `clips.tsv`, a line for each clip: its file, the number of its first
// frame, how many frames it has, and frames a second. Frames carry their numbers as sixteen squares; see tools/corpus.py.
import { spawn } from "node:child_process";
import { createReadStream, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [browser, folder] = process.argv.slice(2);
const clips = readFileSync(join(folder, "clips.tsv"), "utf8").trim().split("\n").map((line) => {
  const [file, first, frames, rate] = line.split("\t");
  const [num, den] = rate.split("/").map(Number);
  return { file, first: Number(first), frames: Number(frames), rate: num / (den || 1) };
});

// What the page does; it reports to the server.
async function look(clips) {
  const told = (video, event, what) => new Promise((done, fail) => {
    const late = setTimeout(() => fail(new Error(`no ${event} within 30 s ${what}`)), 30_000);
    video.addEventListener(event, () => { clearTimeout(late); done(); }, { once: true });
    video.addEventListener("error", () => { clearTimeout(late); fail(new Error(`${video.error.message} ${what}`)); }, { once: true });
  });
  // The number that the frame on screen carries, whatever its matrix does: the picture is drawn as it was stored.
  const shown = (video) => {
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    const paper = canvas.getContext("2d");
    paper.drawImage(video, 0, 0);
    const { width, height } = canvas;
    let number = 0;
    for (let bit = 0; bit < 16; bit++) {
      const [red] = paper.getImageData(Math.floor(width * (0.1 + 0.05 * (bit + 0.5))), Math.floor((height * 168) / 180), 1, 1).data;
      number += red > 126 ? 2 ** bit : 0;
    }
    return number;
  };
  const problems = [];
  for (const clip of clips) {
    try {
      const video = document.createElement("video");
      video.muted = true;
      video.preload = "auto";
      document.body.replaceChildren(video);
      const loaded = told(video, "loadeddata", "while it is opened");
      video.src = clip.file;
      await loaded;
      const long = clip.frames / clip.rate;
      if (Math.abs(video.duration - long) > 0.06) problems.push(`${clip.file}: is ${video.duration} s long, not ${long}`);
      // From the end to the beginning, then back and forth, so that each is a seek.
      const last = clip.frames - 1;
      const places = [last, ...Array.from({ length: 12 }, (_, i) => Math.floor((last * ((i * 5) % 12)) / 12)), 0];
      for (const place of places) {
        const there = told(video, "seeked", `at frame ${place}`);
        video.currentTime = (place + 0.5) / clip.rate;
        await there;
        // On a busy machine the picture may be drawn a moment after the event; one that is wrong stays wrong.
        let number = shown(video);
        for (let tries = 0; tries < 40 && number !== clip.first + place; tries++) {
          await new Promise((done) => setTimeout(done, 50));
          number = shown(video);
        }
        if (number !== clip.first + place) problems.push(`${clip.file}: frame ${place} shows ${number}, not ${clip.first + place}`);
      }
      const ended = told(video, "ended", "while it plays");
      video.playbackRate = 4;
      await video.play();
      await ended;
    } catch (error) {
      problems.push(`${clip.file}: ${error.message}`);
    }
  }
  await fetch("/told", { method: "POST", body: JSON.stringify(problems) });
}

function serve(request, answer) {
  const name = decodeURIComponent(request.url.slice(1));
  if (request.method === "POST") {
    let body = "";
    request.on("data", (bytes) => (body += bytes));
    request.on("end", () => { answer.end(); tell(JSON.parse(body)); });
  } else if (name === "") {
    answer.setHeader("content-type", "text/html");
    answer.end(`<body><script>(${look})(${JSON.stringify(clips)})</script>`);
  } else if (clips.some((clip) => clip.file === name)) {
    const size = statSync(join(folder, name)).size;
    const [, from, to] = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "") ?? [];
    const [start, end] = [Number(from ?? 0), to ? Number(to) : size - 1];
    const headers = { "content-type": "video/mp4", "accept-ranges": "bytes", "content-length": end - start + 1 };
    if (from !== undefined) headers["content-range"] = `bytes ${start}-${end}/${size}`;
    answer.writeHead(from === undefined ? 200 : 206, headers);
    createReadStream(join(folder, name), { start, end }).pipe(answer);
  } else {
    answer.writeHead(404).end();
  }
}

const server = createServer(serve).listen(0, "127.0.0.1", () => open(server.address().port));
const home = mkdtempSync(join(tmpdir(), "play-"));
let child;

function open(port) {
  const quiet = ["--no-first-run", "--mute-audio", "--autoplay-policy=no-user-gesture-required", `--user-data-dir=${home}`];
  const root = process.getuid() === 0 ? ["--no-sandbox"] : [];
  const page = `http://127.0.0.1:${port}/`;
  // A group of its own, since Debian starts the browser from a script, and the browser is several processes.
  child = spawn(browser, ["--headless", "--disable-gpu", ...quiet, ...root, page], { stdio: "ignore", detached: true });
  child.on("exit", () => {
    console.error("the browser ended before it had looked at all");
    process.exit(1);
  });
  setTimeout(() => tell(["the browser has not looked at all within five minutes"]), 300_000).unref();
}

function tell(problems) {
  child.removeAllListeners("exit");
  child.on("exit", () => {
    // Its processes may still write while they end.
    rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    problems.forEach((problem) => console.error(problem));
    console.error(`${clips.length} clips in Chromium: ${problems.length} problems`);
    process.exit(problems.length === 0 ? 0 : 1);
  });
  process.kill(-child.pid);
}
