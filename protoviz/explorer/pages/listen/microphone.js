// Records the microphone as 16-bit mono WAV. Only this file touches it, and only while the meter moves.
const ICON = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 15a3 3 0 0 0 3-3V6a3 3 0 0 0-6 0v6a3 3 0 0 0 3 3zm5-3a5 5 0 0 1-10 0H5a7 7 0 0 0 6 6.9V22h2v-3.1a7 7 0 0 0 6-6.9z"/></svg>'
const STYLE = `
  .microphone { font: 500 15px/1.4 var(--bokeh-base-font, sans-serif); height: 100%; box-sizing: border-box;
                color: var(--panel-primary-color, #27406b); }
  button { font: inherit; color: inherit; background: none; cursor: pointer; border-radius: 4px; height: 36px;
           border: 1px solid color-mix(in srgb, currentColor 50%, transparent); padding: 0 14px;
           display: flex; align-items: center; justify-content: center; gap: 8px; white-space: nowrap; }
  button:hover { background: color-mix(in srgb, currentColor 8%, transparent); }
  button:focus-visible { outline: 3px solid currentColor; outline-offset: 2px; }
  .record { width: 100%; } svg { width: 20px; height: 20px; fill: currentColor; }
  .going { display: flex; align-items: center; gap: 10px; }
  .stop::before { content: ""; width: 12px; height: 12px; border-radius: 2px; background: #c62828; }
  .dark .stop::before { background: #ff8a80; }
  .side { flex: 1 1 auto; min-width: 0; }
  .left { font-variant-numeric: tabular-nums; font-weight: 400; font-size: 14px; line-height: 20px;
          color: var(--panel-on-background-color, #12203a); }
  .meter { height: 10px; border-radius: 5px; overflow: hidden;
           background: color-mix(in srgb, currentColor 16%, transparent); }
  .meter div { height: 100%; width: 0; background: currentColor; }
  [hidden] { display: none; }`
// Sums the channels to one, in the thread that must never wait.
const RECORDER = `registerProcessor("protoviz-recorder", class extends AudioWorkletProcessor {
  process([input]) {
    if (input.length) {
      const mono = new Float32Array(input[0].length)
      for (const channel of input) for (let i = 0; i < mono.length; i++) mono[i] += channel[i] / input.length
      this.port.postMessage(mono)
    }
    return true
  }
})`
const KINDS = {NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "absent",
  OverconstrainedError: "absent", NotReadableError: "busy", AbortError: "busy"}
// What a telephone does to a voice would hide what an encoder hears.
const SOUND = {echoCancellation: false, noiseSuppression: false, autoGainControl: false}
const FLOOR_DB = 60, SHORTEST = 0.2 // seconds

function wav(blocks, samples, rate) {
  const bytes = new ArrayBuffer(44 + 2 * samples), view = new DataView(bytes)
  const word = (at, text) => { for (let i = 0; i < 4; i++) { view.setUint8(at + i, text.charCodeAt(i)) } }
  word(0, "RIFF"); view.setUint32(4, 36 + 2 * samples, true); word(8, "WAVE")
  word(12, "fmt "); view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true)
  view.setUint32(24, rate, true); view.setUint32(28, 2 * rate, true)
  view.setUint16(32, 2, true); view.setUint16(34, 16, true)
  word(36, "data"); view.setUint32(40, 2 * samples, true)
  let at = 0
  for (const block of blocks) {
    for (const value of block) {
      if (at === samples) { break }
      view.setInt16(44 + 2 * at++, Math.min(Math.max(Math.round(value * 32768), -32768), 32767), true)
    }
  }
  return bytes
}

export function render({model, el}) {
  el.innerHTML = `<style>${STYLE}</style><div class="microphone">
    <button class="record">${ICON}Record</button>
    <div class="going" hidden><button class="stop">Stop</button>
      <div class="side"><div class="left"></div>
        <div class="meter" role="meter" aria-label="Level" aria-valuemin="-60" aria-valuemax="0"><div></div></div>
    </div></div></div>`
  const [record, going, stop, left, meter] =
    [".record", ".going", ".stop", ".left", ".meter"].map((s) => el.querySelector(s))
  let taking = null

  const show = (on) => {
    record.hidden = on
    going.hidden = !on
  }
  const trouble = (kind) => model.send_msg({trouble: kind})
  const close = () => {
    const take = taking
    taking = null
    show(false)
    take?.stream?.getTracks().forEach((track) => track.stop())
    take?.context?.close()
    return take
  }
  const finish = () => {
    const take = close()
    if (!take?.context) { return }
    const rate = take.context.sampleRate
    const samples = Math.min(take.samples, Math.floor(model.seconds * rate))
    if (samples < SHORTEST * rate) { trouble("short") }
    else if (take.loudest === 0) { trouble("silent") }
    else { model.wav = wav(take.blocks, samples, rate) }
  }
  const hear = (take, block) => {
    if (taking !== take) { return }
    take.blocks.push(block)
    take.samples += block.length
    let peak = 0
    for (const value of block) { peak = Math.max(peak, Math.abs(value)) }
    take.loudest = Math.max(take.loudest, peak)
    take.level = Math.max(peak, take.level * 0.98) // falls slowly enough to be seen
    if (take.samples >= model.seconds * take.context.sampleRate) { finish() }
  }
  const draw = () => {
    if (!taking?.context) { return }
    const level = Math.max(-FLOOR_DB, 20 * Math.log10(taking.level || 1e-9))
    meter.firstElementChild.style.width = `${100 * (1 + level / FLOOR_DB)}%`
    meter.setAttribute("aria-valuenow", Math.round(level))
    left.textContent = `${Math.max(0, model.seconds - taking.samples / taking.context.sampleRate).toFixed(1)} s left`
    requestAnimationFrame(draw)
  }
  const begin = async () => {
    if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) { return trouble("insecure") }
    const take = {blocks: [], samples: 0, loudest: 0, level: 0}
    taking = take
    left.textContent = "waiting for the microphone"
    show(true)
    try {
      take.stream = await navigator.mediaDevices.getUserMedia({audio: SOUND})
      if (taking !== take) { return take.stream.getTracks().forEach((track) => track.stop()) }
      const context = new AudioContext()
      const code = URL.createObjectURL(new Blob([RECORDER], {type: "text/javascript"}))
      await context.audioWorklet.addModule(code).finally(() => URL.revokeObjectURL(code))
      if (taking !== take) { take.stream.getTracks().forEach((track) => track.stop()); return context.close() }
      take.context = context
      const recorder = new AudioWorkletNode(context, "protoviz-recorder", {numberOfOutputs: 0})
      recorder.port.onmessage = (event) => hear(take, event.data)
      context.createMediaStreamSource(take.stream).connect(recorder)
      await context.resume()
      draw()
    } catch (error) {
      close()
      trouble(KINDS[error.name] ?? "failed")
    }
  }
  record.onclick = () => begin().then(() => taking && stop.focus())
  stop.onclick = () => { finish(); record.focus() }
  model.on("remove", close)
}
