"""The programs that OpenGL runs: one look for levels drawn as they are read and drawn packed."""

from levels.scene import Style

FARTHEST_M = 65.5
"""Depth beyond this does not fit into 16 bits of a millimetre and is stored as unknown."""

_HEADER = "#version 330\n"

_VERTEX = """
uniform mat4 clip_from_world;
in vec3 position; in vec2 uv; in vec2 lightmap_uv; in vec3 light;
out vec3 place; out vec2 picture_at; out vec2 light_at; out vec3 own_light; out float depth;
#ifdef PACKED
in float two_sided; in float layer;
flat out float from_behind; flat out float picture_layer;
#endif
void main() {
    gl_Position = clip_from_world * vec4(position, 1.0);
    place = position; picture_at = uv; light_at = lightmap_uv; own_light = light;
    depth = gl_Position.w;
#ifdef PACKED
    from_behind = two_sided; picture_layer = layer;
#endif
}
"""

# Lightmaps are made for screens of 1999: strongly coloured and dark. Their hue is reduced to about
# a third and the dark is made lighter, so that a level resembles a photograph.
_FRAGMENT = """
const float HUE = 0.35, LIFT = 0.45, GAIN = 1.3, AMBIENT = 0.02;
const int CUT_OUT = 1, SKY = 2;
uniform sampler2D lightmaps; uniform vec3 eye;
in vec3 place; in vec2 picture_at; in vec2 light_at; in vec3 own_light; in float depth;
layout(location = 0) out vec4 colour; layout(location = 1) out float stored_depth;
#ifdef PACKED
const int style = STYLE;
uniform sampler2DArray picture;
flat in float from_behind; flat in float picture_layer;
vec4 sample_at(vec2 at) { return texture(picture, vec3(at, picture_layer)); }
vec4 mean_colour() { return textureLod(picture, vec3(0.5, 0.5, picture_layer), 16.0); }
bool is_seen() { return gl_FrontFacing || from_behind > 0.0; }
float store(float metres) {
    return metres > 0.0 && metres < FARTHEST_M ? metres * (1000.0 / 65535.0) : 0.0;
}
#else
uniform int style; uniform bool two_sided;
uniform sampler2D picture;
vec4 sample_at(vec2 at) { return texture(picture, at); }
vec4 mean_colour() { return textureLod(picture, vec2(0.5), 16.0); }
bool is_seen() { return gl_FrontFacing || two_sided; }
float store(float metres) { return metres; }
#endif
void main() {
    if (style == SKY) {
        vec3 towards = normalize(place - eye);
        vec3 clouds = sample_at(0.5 * towards.xy / (abs(towards.z) + 0.35)).rgb;
        vec3 horizon = mix(mean_colour().rgb, vec3(0.9), 0.35);
        colour = vec4(mix(horizon, clouds, smoothstep(0.0, 0.35, abs(towards.z))), 0.5);
        stored_depth = 0.0;
        return;
    }
    vec4 surface = sample_at(picture_at);
#ifndef NEVER_CUT_OUT
    if (style == CUT_OUT && surface.a < 0.5) discard;
#endif
    vec3 light = light_at.x < 0.0 ? own_light : texture(lightmaps, light_at).rgb;
    light += AMBIENT;
    float level = dot(light, vec3(0.30, 0.59, 0.11));
    vec3 lit = surface.rgb * mix(vec3(1.0), light / level, HUE) * pow(level, LIFT) * GAIN;
    colour = vec4(lit / max(max(lit.r, lit.g), max(lit.b, 1.0)), is_seen() ? 1.0 : 0.5);
    stored_depth = store(is_seen() ? depth : -depth);
}
"""


def programs(packed: Style | None = None) -> tuple[str, str]:
    """The vertex and the fragment program.

    Colour comes with an alpha of 1 where a surface is seen, and of 0.5 on the sky and on the backs
    of walls. Depth is in metres, negative on the backs of walls.

    Args:
        packed: for this style of a packed level: pictures are layers of one texture, and depth is
            millimetres / 65535, 0 where it is unknown.
    """
    defined = ""
    if packed is not None:
        defined = f"#define PACKED\n#define STYLE {int(packed)}\n#define FARTHEST_M {FARTHEST_M}\n"
        # A program that may discard pixels cannot skip hidden ones early.
        defined += "" if packed == Style.CUT_OUT else "#define NEVER_CUT_OUT\n"
    return _HEADER + defined + _VERTEX, _HEADER + defined + _FRAGMENT
