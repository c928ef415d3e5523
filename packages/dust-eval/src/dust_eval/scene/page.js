"use strict";
// Poses are of cameras in the world, row by row: x right, y down, z forward.
const content = JSON.parse(document.getElementById("content").textContent);
const byId = name => document.getElementById(name);
const add = (a, b, factor = 1) => a.map((value, i) => value + factor * b[i]);
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const unit = a => { const length = Math.hypot(...a); return a.map(value => value / length); };
const column = (pose, i) => [pose[i], pose[4 + i], pose[8 + i]];
const forwardOf = pose => unit(column(pose, 2)), upOf = pose => unit(column(pose, 1).map(value => -value)), eyeOf = pose => column(pose, 3);
const HUES = [[.90, .62, 0], [.34, .71, .91], [.94, .89, .26], [.80, .47, .65], [0, .75, .55], [.95, .45, .15]];
const FARTHEST = 3e38, STEPS = 1000;

function decoded(text) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

const first = content.views[0].pose;
const views = content.views.map((view, number) => {
  const points = new Float32Array(decoded(view.points).buffer), pose = view.pose || first, ahead = forwardOf(pose);
  const row = [...ahead, -dot(ahead, eyeOf(pose))], depths = new Float32Array(points.length / 3);
  for (let i = 0; i < depths.length; i++) depths[i] = row[0] * points[3 * i] + row[1] * points[3 * i + 1] + row[2] * points[3 * i + 2] + row[3];
  return { ...view, points, row, depths, on: true, hue: HUES[number % HUES.length], colours: decoded(view.colours), confidences: new Float32Array(decoded(view.confidences).buffer) };
});
const total = views.reduce((sum, view) => sum + view.depths.length, 0);
const limits = { near: -FARTHEST, far: FARTHEST, confidence: Math.fround(content.least) };
const spans = { near: content.depths, far: content.depths, confidence: content.confidences };

// The sliders are logarithmic; at the lower end of `near` and the upper of `far` nothing is hidden.
const valueAt = (position, [low, high]) => low * Math.pow(high / low, position / STEPS);
const positionOf = (value, [low, high]) => Math.max(0, Math.min(STEPS, STEPS * Math.log(value / low) / Math.log(high / low))) || 0;

function setLimit(name, value) {
  limits[name] = Math.fround(value);
  byId(name).value = value <= -FARTHEST ? 0 : value >= FARTHEST ? STEPS : positionOf(value, spans[name]);
  byId(name + "-value").textContent = Math.abs(value) >= FARTHEST ? "all" : Number(value.toPrecision(3));
}

function moveLimit(name) {
  const position = Number(byId(name).value);
  const open = name === "near" && position === 0 || name === "far" && position === STEPS;
  setLimit(name, open ? (name === "near" ? -FARTHEST : FARTHEST) : valueAt(position, spans[name]));
  if (name === "near" && limits.near > limits.far) setLimit("far", limits.near);
  if (name === "far" && limits.near > limits.far) setLimit("near", limits.far);
  count();
}

function isShown(view, i) {
  return view.depths[i] >= limits.near && view.depths[i] <= limits.far && view.confidences[i] >= limits.confidence;
}

function count() {
  let shown = 0;
  for (const view of views) if (view.on) for (let i = 0; i < view.depths.length; i++) shown += isShown(view, i);
  byId("count").textContent = `${shown.toLocaleString("en")} of ${total.toLocaleString("en")} points`;
  byId("count").dataset.shown = shown;
}

// The way in which the user looks: from `distance` before `target`, turned from `ahead` and `up`.
const middle = content.middle;
let eye = {};
function lookBehind() {
  let up = [0, 0, 0];
  for (const view of views) if (view.pose) up = add(up, upOf(view.pose));
  const ahead = forwardOf(first);
  up = Math.hypot(...up) > 0.1 ? unit(up) : upOf(first);
  if (Math.abs(dot(ahead, up)) > 0.95) up = upOf(first);
  const level = unit(add(ahead, up, -dot(ahead, up)));
  eye = { target: add(eyeOf(first), ahead, middle), distance: 2.1 * middle, yaw: 0.12, pitch: 0.28 - Math.asin(dot(ahead, up)), ahead: level, up, tangent: 0.45, width: 0 };
}
function lookThrough(view) {
  const ahead = forwardOf(view.pose);
  const [width, height] = view.half;
  eye = { target: add(eyeOf(view.pose), ahead, middle), distance: middle, yaw: 0, pitch: 0, ahead, up: upOf(view.pose), tangent: 1.05 * height, width: 1.05 * width };
}
function axes() {
  const side = cross(eye.ahead, eye.up), level = add(eye.ahead.map(v => v * Math.cos(eye.yaw)), side, Math.sin(eye.yaw));
  const forward = add(level.map(v => v * Math.cos(eye.pitch)), eye.up, -Math.sin(eye.pitch));
  const right = add(side.map(v => v * Math.cos(eye.yaw)), eye.ahead, -Math.sin(eye.yaw));
  return { right, forward, up: cross(right, forward) };
}
function projection(width, height) {
  const { right, up, forward } = axes(), from = add(eye.target, forward, -eye.distance);
  const near = eye.distance / 200, far = 200 * eye.distance + 20 * middle;
  const tangent = Math.max(eye.tangent, eye.width * height / width), f = 1 / tangent, g = f * height / width;
  const a = (far + near) / (far - near), b = -2 * far * near / (far - near), row = (v, s) => [...v, -dot(v, from)].map(value => s * value);
  const depth = row(forward, 1), rows = [row(right, g), row(up, f), depth.map((v, i) => a * v + (i === 3 ? b : 0)), depth];
  return { rows, perPixel: 2 * eye.distance * tangent / height };
}
const projected = (rows, p) => rows.map(row => dot(row, p) + row[3]);

function frustum(view) {
  const m = view.pose, z = 0.16 * middle, [w, h] = view.half.map(half => half * z);
  const world = p => [0, 1, 2].map(i => dot(m.slice(4 * i, 4 * i + 3), p) + m[4 * i + 3]);
  const corners = [[-w, -h, z], [w, -h, z], [w, h, z], [-w, h, z]].map(world), at = eyeOf(m), lines = [];
  corners.forEach((corner, i) => lines.push(...at, ...corner, ...corner, ...corners[(i + 1) % 4]));
  const mark = [[-w / 2, -1.1 * h, z], [0, -1.5 * h, z], [w / 2, -1.1 * h, z]].map(world);  // this side is up
  mark.forEach((corner, i) => lines.push(...corner, ...mark[(i + 1) % 3]));
  return new Float32Array(lines);
}

const canvas = byId("canvas"), gl = canvas.getContext("webgl", { preserveDrawingBuffer: true, antialias: true });
let drawn = () => {}, waiting = false;
function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; drawn(); });
}
if (gl) drawn = painter();
else byId("hint").textContent = "This browser shows no WebGL; open the .ply or .glb file.";

function painter() {
  const shader = (kind, text) => { const s = gl.createShader(kind); gl.shaderSource(s, text); gl.compileShader(s); return s; };
  const program = gl.createProgram();
  gl.attachShader(program, shader(gl.VERTEX_SHADER, `
    attribute vec3 position, colour; attribute float confidence;
    uniform mat4 matrix; uniform vec4 row, spans; uniform vec3 limits, hue; uniform float size, mode;
    varying vec3 shade; varying float rounded;
    vec3 viridis(float t) {  // a polynomial that is near matplotlib's table
      t = clamp(t, 0.0, 1.0);
      return vec3(.278, .005, .334) + t * (vec3(.105, 1.405, 1.385) + t * (vec3(-.331, .215, .095) + t * (vec3(-4.634, -5.799, -19.332)
        + t * (vec3(6.228, 14.180, 56.691) + t * (vec3(4.776, -13.745, -65.353) + t * vec3(-5.435, 4.646, 26.312))))));
    }
    void main() {
      float depth = dot(row.xyz, position) + row.w;
      bool kept = depth >= limits.x && depth <= limits.y && confidence >= limits.z;
      gl_Position = kept ? matrix * vec4(position, 1.0) : vec4(2.0, 2.0, 2.0, 1.0);
      gl_PointSize = size;
      rounded = size > 2.5 ? 1.0 : 0.0;
      shade = mode < 0.5 ? colour : mode < 1.5 ? viridis((log(max(depth, 1e-30)) - spans.x) / (spans.y - spans.x))
        : mode < 2.5 ? viridis((log(confidence) - spans.z) / (spans.w - spans.z)) : hue;
    }`));
  gl.attachShader(program, shader(gl.FRAGMENT_SHADER, `precision mediump float; varying vec3 shade; varying float rounded;
    void main() {
      if (rounded > 0.5 && length(gl_PointCoord - 0.5) > 0.5) discard;
      gl_FragColor = vec4(shade, 1.0);
    }`));
  gl.linkProgram(program); gl.useProgram(program); gl.enable(gl.DEPTH_TEST);
  const place = Object.fromEntries(["position", "colour", "confidence"].map(name => [name, gl.getAttribLocation(program, name)]));
  const uniform = Object.fromEntries(["matrix", "row", "spans", "limits", "hue", "size", "mode"].map(name => [name, gl.getUniformLocation(program, name)]));
  const buffer = data => { const b = gl.createBuffer(); gl.bindBuffer(gl.ARRAY_BUFFER, b); gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW); return b; };
  const use = (name, data, size, kind) => { gl.bindBuffer(gl.ARRAY_BUFFER, data); gl.enableVertexAttribArray(place[name]); gl.vertexAttribPointer(place[name], size, kind, true, 0, 0); };
  for (const view of views) {
    view.buffers = [buffer(view.points), buffer(view.colours), buffer(view.confidences)];
    if (!view.pose) continue;
    view.lines = frustum(view); view.frustum = buffer(view.lines);
    view.tag = document.createElement("span");
    view.tag.textContent = view.label;
    view.tag.style.color = `rgb(${view.hue.map(value => Math.round(255 * value))})`;
    byId("labels").append(view.tag);
  }
  const [low, high] = content.depths.map(Math.log), [least, most] = content.confidences.map(Math.log);
  gl.uniform4f(uniform.spans, low, high > low ? high : low + 1, least, most > least ? most : least + 1);
  return () => {
    const ratio = window.devicePixelRatio || 1, width = Math.max(1, canvas.clientWidth), height = Math.max(1, canvas.clientHeight);
    canvas.width = Math.round(ratio * width); canvas.height = Math.round(ratio * height);
    gl.viewport(0, 0, canvas.width, canvas.height); gl.clearColor(0.26, 0.28, 0.32, 1); gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    const { rows } = projection(width, height);
    gl.uniformMatrix4fv(uniform.matrix, false, [0, 1, 2, 3].flatMap(c => rows.map(row => row[c])));
    gl.uniform3f(uniform.limits, limits.near, limits.far, limits.confidence);
    gl.uniform1f(uniform.size, ratio * Number(byId("size").value));
    gl.uniform1f(uniform.mode, byId("colours").selectedIndex);
    for (const view of views.filter(view => view.on)) {
      gl.uniform4f(uniform.row, ...view.row); gl.uniform3f(uniform.hue, ...view.hue);
      use("position", view.buffers[0], 3, gl.FLOAT); use("colour", view.buffers[1], 3, gl.UNSIGNED_BYTE); use("confidence", view.buffers[2], 1, gl.FLOAT);
      gl.drawArrays(gl.POINTS, 0, view.depths.length);
    }
    gl.uniform3f(uniform.limits, -FARTHEST, FARTHEST, 0); gl.uniform1f(uniform.mode, 3); gl.uniform1f(uniform.size, 1);
    gl.disableVertexAttribArray(place.colour); gl.disableVertexAttribArray(place.confidence); gl.vertexAttrib1f(place.confidence, 1);
    for (const view of views.filter(view => view.pose)) {
      const [x, y, , w] = projected(rows, eyeOf(view.pose)), on = byId("cameras").checked && view.on;
      view.tag.hidden = !on || w <= 0 || Math.abs(x) > w || Math.abs(y) > w;
      view.tag.style.left = `${50 + 50 * x / w}%`; view.tag.style.top = `${50 - 50 * y / w}%`;
      if (!on) continue;
      gl.uniform3f(uniform.hue, ...view.hue); use("position", view.frustum, 3, gl.FLOAT);
      gl.drawArrays(gl.LINES, 0, view.lines.length / 3);
    }
  };
}

function turn(x, y) { eye.yaw += x; eye.pitch = Math.max(-1.5, Math.min(1.5, eye.pitch + y)); }
function move(x, y) {
  const { right, up } = axes(), { perPixel } = projection(canvas.clientWidth, canvas.clientHeight);
  eye.target = add(add(eye.target, right, -perPixel * x), up, perPixel * y);
}
const come = factor => { eye.distance = Math.max(1e-4 * middle, Math.min(1e4 * middle, eye.distance * factor)); };
const fingers = new Map();
canvas.addEventListener("pointerdown", event => { canvas.setPointerCapture(event.pointerId); fingers.set(event.pointerId, [event.clientX, event.clientY]); });
for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, event => fingers.delete(event.pointerId));
canvas.addEventListener("pointermove", event => {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  const now = [event.clientX, event.clientY], [x, y] = add(now, before, -1);
  fingers.set(event.pointerId, now);
  if (fingers.size === 1) {
    if (event.shiftKey || event.buttons & 6) move(x, y); else turn(0.006 * x, 0.006 * y);
  } else {
    const still = [...fingers].find(([id]) => id !== event.pointerId)[1];
    move(x / 2, y / 2);
    come(Math.max(1, Math.hypot(...add(before, still, -1))) / Math.max(1, Math.hypot(...add(now, still, -1))));
  }
  redraw();
});
canvas.addEventListener("contextmenu", event => event.preventDefault());
canvas.addEventListener("wheel", event => { come(Math.exp(Math.max(-1, Math.min(1, (event.deltaMode ? 30 : 1) * event.deltaY * 0.001)))); event.preventDefault(); redraw(); }, { passive: false });
canvas.addEventListener("keydown", event => {
  const action = { ArrowLeft: () => turn(0.1, 0), ArrowRight: () => turn(-0.1, 0), ArrowUp: () => turn(0, 0.1), ArrowDown: () => turn(0, -0.1), "+": () => come(0.9), "-": () => come(1.1) }[event.key];
  if (action) { action(); event.preventDefault(); redraw(); }
});
canvas.addEventListener("dblclick", event => {
  const width = canvas.clientWidth, height = canvas.clientHeight, { rows } = projection(width, height), { forward } = axes();
  let nearest = Infinity, chosen = null;
  for (const view of views) if (view.on) for (let i = 0; i < view.depths.length; i++) {
    if (!isShown(view, i)) continue;
    const point = view.points.subarray(3 * i, 3 * i + 3), [x, y, , w] = projected(rows, point);
    const away = Math.hypot((1 + x / w) * width / 2 - event.offsetX, (1 - y / w) * height / 2 - event.offsetY);
    if (w > 0 && w < nearest && away < 5) { nearest = w; chosen = [...point]; }
  }
  if (!chosen) return;
  eye.distance = Math.max(nearest, 1e-4 * middle);  // the eye moves aside, and no nearer
  eye.target = chosen;
  redraw();
});

function setViews(chosen) {
  views.forEach((view, number) => { view.on = chosen(number); byId(`view-${number}`).checked = view.on; });
  count(); redraw();
}
for (const name of Object.keys(limits)) byId(name).addEventListener("input", () => { moveLimit(name); redraw(); });
function sized() { byId("size-value").textContent = `${byId("size").value} px`; redraw(); }
byId("size").addEventListener("input", sized);
for (const name of ["colours", "cameras"]) byId(name).addEventListener("change", redraw);
byId("start").addEventListener("click", () => { lookBehind(); redraw(); });
byId("all").addEventListener("click", () => setViews(() => true));
byId("none").addEventListener("click", () => setViews(() => false));
views.forEach((view, number) => {
  byId(`view-${number}`).addEventListener("change", event => { view.on = event.target.checked; count(); redraw(); });
  if (view.pose) byId(`look-${number}`).addEventListener("click", () => { lookThrough(view); redraw(); });
});
addEventListener("resize", redraw);

// What follows # in the address sets the controls: #far=4&confidence=3&size=3&colours=depth&views=1,3&look=2
lookBehind();
const asked = new URLSearchParams(location.hash.slice(1)), number = name => Number(asked.get(name) ?? NaN);
for (const name of Object.keys(limits)) setLimit(name, Number.isFinite(number(name)) ? number(name) : limits[name]);
if (number("size") >= 1) byId("size").value = number("size");
if ([...byId("colours").options].some(option => option.value === asked.get("colours"))) byId("colours").value = asked.get("colours");
byId("cameras").checked = asked.get("cameras") !== "0";
const wanted = asked.get("views")?.split(",").map(Number);
setViews(index => !wanted || wanted.includes(index + 1));
if (views[number("look") - 1]?.pose) lookThrough(views[number("look") - 1]);
sized();
