// Log in, get a token, make a video with it.

const login = document.querySelector("#login");
const video = document.querySelector("#video");
const player = document.querySelector("#player");
const say = (text) => (document.querySelector("#status").textContent = text);

async function json(path, options = {}) {
  const answer = await fetch(path, options);
  const body = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(body.error ?? body.message ?? answer.statusText), { status: answer.status });
  return body;
}

function post(path, body, headers = {}) {
  return json(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

// A token is good for 15 minutes. A new one is got with the session's cookie, whenever telecine refuses the old one.
let token;
async function telecine(path, body, headers = {}) {
  for (const attempt of [1, 2]) {
    token ??= (await json("/api/auth/token")).token;
    const all = { authorization: `Bearer ${token}`, ...headers };
    try {
      return await (body ? post(`/telecine${path}`, body, all) : json(`/telecine${path}`, { headers: all }));
    } catch (error) {
      if (error.status !== 401 || attempt === 2) throw error;
      token = undefined;
    }
  }
}

async function showCredits() {
  document.querySelector("#credits").value = (await telecine("/api/credits")).available;
  login.hidden = true;
  video.hidden = false;
}

login.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { email, password } = Object.fromEntries(new FormData(login));
  try {
    await post(`/api/auth/${event.submitter.value}/email`, { email, password, name: email });
    await showCredits();
    say("");
  } catch (error) {
    say(error.message);
  }
});

video.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { prompt } = Object.fromEntries(new FormData(video));
  const request = { prompt, resolution: "480p", duration: 5 };
  try {
    // The key makes it safe to send the same request again: it is charged once.
    const { id } = await telecine("/api/video/generate", request, { "idempotency-key": crypto.randomUUID() });
    await follow(id);
  } catch (error) {
    say(error.message);
  }
});

async function follow(id) {
  for (;;) {
    const found = await telecine(`/api/video/status?taskId=${id}&historyId=${id}`);
    say(found.status);
    if (found.status === "completed") {
      player.src = found.videoUrl;
      player.hidden = false;
    }
    if (["completed", "failed", "cancelled"].includes(found.status)) break;
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
  await showCredits();
}
