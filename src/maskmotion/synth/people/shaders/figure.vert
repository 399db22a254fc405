#version 330
// A figure's vertex: seen by the camera and by the lamp.

uniform mat4 camera;
uniform mat4 lamp;

in vec3 position;
in vec3 normal;
in vec3 rest;
in vec3 rest_normal;
in vec2 coordinate;
in vec4 aux;

out vec3 at;
out vec3 across;
out vec3 rest_at;
out vec3 rest_across;
out vec2 uv;
out vec4 extra;
out vec3 in_lamp;

void main() {
    at = position;
    across = normal;
    rest_at = rest;
    rest_across = rest_normal;
    uv = coordinate;
    extra = aux;
    in_lamp = (lamp * vec4(position, 1.0)).xyz * 0.5 + 0.5;
    gl_Position = camera * vec4(position, 1.0);
}
