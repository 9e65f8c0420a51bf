// One audio element, two sources (the clip, one cell of it), and a play bar that is moved here and nowhere else.
const ICONS = {
  play: '<path d="M8 5v14l11-7z"/>',
  pause: '<path d="M6 5h4v14H6zm8 0h4v14h-4z"/>',
  loop: '<path d="M7 7h10v3l4-4-4-4v3H5v6h2zm10 10H7v-3l-4 4 4 4v-3h12v-6h-2z"/>',
}
const STYLE = `
  .player { display: flex; align-items: center; flex-wrap: wrap; gap: 4px 12px; font: 15px/1.4 var(--bokeh-base-font, sans-serif);
            color: var(--panel-on-background-color, #12203a); min-height: 48px;
            flex: 1; min-width: 0; /* Panel's element around it is called the same */ }
  button { font: inherit; color: inherit; background: none; border: 1px solid var(--border-color, #bbb);
           border-radius: 8px; min-height: 36px; padding: 0 12px; cursor: pointer; }
  button:hover { background: color-mix(in srgb, currentColor 8%, transparent); }
  button:focus-visible { outline: 3px solid var(--panel-primary-color, #27406b); outline-offset: 2px; }
  button:disabled { opacity: 0.45; cursor: default; }
  .loop[aria-pressed=true] { border: 2px solid currentColor; position: relative; }
  .loop[aria-pressed=true]::after { content: ""; position: absolute; left: 50%; bottom: 2px; width: 6px;
    height: 6px; margin-left: -3px; border-radius: 50%; background: currentColor; forced-color-adjust: none; }
  .loop[aria-pressed=true] svg { transform: translateY(-3px) scale(0.85); }
  .main { width: 48px; height: 48px; padding: 0; border-radius: 50%; border: none; flex: none;
          background: var(--panel-primary-color, #27406b); color: var(--panel-on-primary-color, #fff); }
  .main:hover { background: color-mix(in srgb, var(--panel-primary-color, #27406b) 85%, black); }
  svg { width: 24px; height: 24px; fill: currentColor; display: block; margin: auto; }
  .loop, .speed { width: 48px; padding: 0; flex: none; }
  .time { font-variant-numeric: tabular-nums; white-space: nowrap; flex: none; min-width: 112px; }
  .label { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; flex: 1 1 100px; min-width: 0; }
  .back { flex: none; } [hidden] { display: none; }`

// The pitch falls with the speed: time expansion, as it makes bats heard.
const SPEEDS = [
  {rate: 1, sign: "1×", name: "Speed: as it is", said: ""},
  {rate: 0.5, sign: "0.5×", name: "Speed: half", said: "at half speed, an octave lower"},
  {rate: 0.1, sign: "0.1×", name: "Speed: a tenth", said: "at a tenth of the speed, every pitch a tenth as high"},
]
const BLOCKED = "this browser plays nothing before a tap: press Play"
// Seconds as the file counts them; past a minute as minutes:seconds.
const clock = (seconds, minutes) =>
  minutes ? `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(2).padStart(5, "0")}` : seconds.toFixed(2)

const icon = (name) => `<svg viewBox="0 0 24 24" aria-hidden="true">${ICONS[name]}</svg>`
const FIELDS = "input, textarea, select, [role=slider], [role=combobox], [role=listbox]"
const typing = (event) => {
  const target = event.composedPath()[0]
  if (!(target instanceof Element)) { return false }
  const pressing = event.key === " " && target.closest("button") // a button takes the space bar and no other key
  return target.isContentEditable || target.closest(FIELDS) || pressing
}

const choosing = (event) => event.composedPath()[0].closest?.("[role=listbox], [role=combobox], dialog")

export function render({model, el}) {
  el.innerHTML = `<style>${STYLE}</style><div class="player">
    <button class="main" aria-label="Play">${icon("play")}</button>
    <span class="time"></span>
    <button class="loop" aria-label="Repeat" aria-pressed="false" title="Repeat">${icon("loop")}</button>
    <button class="speed"></button>
    <span class="label" aria-live="polite"></span>
    <button class="back" hidden>Whole clip</button><audio></audio></div>`
  const [main, time, loop, fast, label, back, audio] =
    [".main", ".time", ".loop", ".speed", ".label", ".back", "audio"].map((s) => el.querySelector(s))
  const urls = {}
  let showing = "clip"
  let length = {clip: 0, cell: 0}
  let frame = null

  let repeat = false
  let speed = SPEEDS[0]
  let blocked = false
  const looped = () => showing === "cell" && model.cell_loop
  const start = () => (showing === "cell" ? model.cell_start : 0)
  const bar = () => {
    for (const document of window.Bokeh.documents) {
      const found = document.get_model_by_name(`bar-${model.channel}`)
      if (found != null) { return found }
    }
    return null
  }
  const draw = () => {
    const now = audio.currentTime
    const span = bar()
    const visible = !(showing === "cell" && model.elsewhere)
    span?.setv({location: start() + now, visible}, {sync: false}) // not told to the server: it would answer every frame
    const first = start() + (showing === "cell" && model.elsewhere ? 0 : model.origin)
    const end = first + length[showing], minutes = end >= 60
    time.textContent = urls[showing] ? `${clock(first + now, minutes)} / ${clock(end, minutes)}${minutes ? "" : " s"}` : ""
  }
  const follow = () => {
    if (!shown()) { audio.pause() }
    draw()
    frame = audio.paused ? null : requestAnimationFrame(follow)
  }
  const words = () => {
    const what = showing === "cell" ? model.cell_label : model.clip_label
    label.textContent = [what, speed.said, blocked ? BLOCKED : ""].filter(Boolean).join("; ")
    label.title = label.textContent
    back.hidden = showing === "clip"
    back.textContent = looped() ? "Release" : "Whole clip"
    loop.hidden = looped()
    main.disabled = loop.disabled = fast.disabled = !urls[showing]
    fast.textContent = speed.sign
    fast.title = speed.name
    fast.setAttribute("aria-label", speed.name)
    main.innerHTML = icon(audio.paused ? "play" : "pause")
    main.setAttribute("aria-label", audio.paused ? "Play" : "Pause")
  }
  const put = (which, bytes) => {
    if (urls[which]) { URL.revokeObjectURL(urls[which]) }
    urls[which] = bytes?.byteLength ? URL.createObjectURL(new Blob([bytes], {type: "audio/wav"})) : null
    // 16-bit mono behind a header of 44 bytes; the rate stands at byte 24.
    length[which] = urls[which] ? (bytes.byteLength - 44) / 2 / new DataView(bytes).getUint32(24, true) : 0
  }
  const show = (which, at = 0) => {
    showing = which
    if (urls[which] && audio.src !== urls[which]) { audio.src = urls[which] }
    audio.currentTime = at
    audio.loop = repeat || looped()
    words()
    draw()
  }
  // A source that is put in plays at the default rate, with what it was asked to keep of the pitch.
  audio.preservesPitch = audio.mozPreservesPitch = audio.webkitPreservesPitch = false
  const slow = () => { audio.defaultPlaybackRate = audio.playbackRate = speed.rate }
  const refused = (error) => {
    blocked = error.name === "NotAllowedError"
    words()
  }
  const play = () => {
    blocked = false
    return audio.play().catch(refused)
  }
  const toggle = () => { if (urls[showing]) { audio.paused ? play() : audio.pause() } }
  // Safari lets an element play by itself once a gesture has played it: the first tap anywhere does, in silence.
  const GESTURES = ["pointerup", "touchend", "click", "keydown"]
  const locked = () => { for (const one of GESTURES) { window.removeEventListener(one, unlock, true) } }
  const unlock = () => {
    if (!audio.paused || !audio.src) { return }
    audio.play().then(locked, (error) => { if (error.name !== "NotAllowedError") { locked() } })
    audio.pause()
  }
  for (const one of GESTURES) { window.addEventListener(one, unlock, true) }
  const seek = (at) => show("clip", Math.min(Math.max(at, 0), length.clip))

  const new_clip = () => {
    put("clip", model.clip)
    if (showing !== "clip") { return } // a cell of the new clip plays already
    audio.pause()
    show("clip")
  }
  const new_cell = () => {
    put("cell", model.cell)
    if (urls.cell) {
      show("cell")
      play()
    } else if (showing === "cell") {
      audio.pause()
      show("clip", start())
    }
  }
  model.on("clip", new_clip)
  model.on("clip_label", words)
  model.on("origin", draw)
  model.on("played", new_cell)

  for (const happening of ["play", "pause", "ended"]) {
    audio.addEventListener(happening, () => {
      words()
      if (frame == null) { follow() }
    })
  }
  audio.addEventListener("seeked", draw)
  main.onclick = toggle
  const release = () => {
    audio.pause()
    show("clip", start())
    model.send_msg({released: true})
  }
  back.onclick = release
  fast.onclick = () => {
    speed = SPEEDS[(SPEEDS.indexOf(speed) + 1) % SPEEDS.length]
    slow()
    words()
  }
  loop.onclick = () => {
    repeat = audio.loop = !repeat
    loop.setAttribute("aria-pressed", repeat)
  }
  const on_seek = (event) => { if (event.detail.channel === model.channel) { seek(event.detail.time) } }
  const on_event = (event) => {
    if (event.detail.channel === model.channel) { model.send_msg({event: event.detail.event}) }
  }
  const shown = () => el.getClientRects().length > 0 // several pages have a player: one of them is seen
  const on_key = (event) => {
    if (event.key === "Escape" && showing === "cell" && shown() && !choosing(event)) { return release() }
    if (!shown() || typing(event) || event.ctrlKey || event.metaKey || event.altKey) { return }
    if (event.key === " ") { toggle() }
    else if (event.key === "ArrowLeft") { seek(start() + audio.currentTime - 1) }
    else if (event.key === "ArrowRight") { seek(start() + audio.currentTime + 1) }
    else if (/^[1-9]$/.test(event.key)) { model.send_msg({rank: Number(event.key)}) }
    else if (event.key.toLowerCase() === "e") { model.send_msg({step: true}) }
    else { return }
    event.preventDefault()
  }
  // A clicked Bokeh figure would keep the focus, with a frame around it, though no key does anything there.
  const on_click = (event) => {
    const target = event.composedPath()[0]
    if (target instanceof Element && target.classList.contains("bk-events")) { target.blur() }
  }
  window.addEventListener("protoviz:seek", on_seek)
  window.addEventListener("protoviz:event", on_event)
  window.addEventListener("keydown", on_key)
  window.addEventListener("pointerup", on_click)
  model.on("remove", () => {
    audio.pause()
    cancelAnimationFrame(frame)
    locked()
    window.removeEventListener("protoviz:seek", on_seek)
    window.removeEventListener("protoviz:event", on_event)
    window.removeEventListener("keydown", on_key)
    window.removeEventListener("pointerup", on_click)
    for (const url of Object.values(urls)) { if (url) { URL.revokeObjectURL(url) } }
  })
  new_clip()
  if (model.cell?.byteLength) { // of a link: a page that opens makes no noise by itself
    put("cell", model.cell)
    show("cell")
  }
}
