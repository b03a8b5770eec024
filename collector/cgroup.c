#include "collector/cgroup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ID_DIGITS = 64, ID_SHOWN = 12 };

/* A part of a path, not ended by a NUL. */
struct piece {
	const char *start;
	size_t length;
};

static bool piece_is(struct piece piece, const char *word)
{
	return piece.length == strlen(word) && memcmp(piece.start, word, piece.length) == 0;
}

/* Takes off a beginning; false: it has another, or nothing else. */
static bool take_prefix(struct piece *piece, const char *prefix)
{
	size_t length = strlen(prefix);
	if (piece->length <= length || memcmp(piece->start, prefix, length) != 0)
		return false;
	piece->start += length;
	piece->length -= length;
	return true;
}

static bool take_suffix(struct piece *piece, const char *suffix)
{
	size_t length = strlen(suffix);
	if (piece->length <= length || memcmp(piece->start + piece->length - length, suffix, length) != 0)
		return false;
	piece->length -= length;
	return true;
}

/* Takes the next part of a path. */
static bool next_part(struct piece *path, struct piece *ret_part)
{
	while (path->length && path->start[0] == '/') {
		path->start++;
		path->length--;
	}
	const char *slash = path->length ? memchr(path->start, '/', path->length) : NULL;
	*ret_part = (struct piece){ path->start, slash ? (size_t)(slash - path->start) : path->length };
	path->start += ret_part->length;
	path->length -= ret_part->length;
	return ret_part->length > 0;
}

/* Takes a container's ID off the end. */
static bool take_id(struct piece *piece, struct piece *ret_id)
{
	if (piece->length < ID_DIGITS)
		return false;
	*ret_id = (struct piece){ piece->start + piece->length - ID_DIGITS, ID_DIGITS };
	for (size_t i = 0; i < ID_DIGITS; i++) {
		if (!strchr("0123456789abcdef", ret_id->start[i]) || !ret_id->start[i])
			return false;
	}
	piece->length -= ID_DIGITS;
	return true;
}

/* What a part of a path is to the processes in it and below. */
enum meaning { NOTHING, UNIT, CONTAINER, SCOPE };

/* A container's kind and name. */
struct container {
	struct piece kind, name;
};

/* "docker-ID" and the like; `top` is the first part of the path. */
static enum meaning read_container(struct piece part, struct piece top, struct container *ret_container)
{
	struct piece kind = part, id;
	if (!take_id(&kind, &id))
		return NOTHING;
	if (kind.length == 0) {
		/* "/docker/ID", "/kubepods/besteffort/podUID/ID" */
		kind = top;
		(void)take_suffix(&kind, ".slice");
		struct piece rest = kind;
		if (piece_is(kind, "..") || take_id(&rest, &id))
			kind = (struct piece){ "container", strlen("container") };
	} else if (kind.start[kind.length - 1] == '-' || kind.start[kind.length - 1] == ':') {
		/* "docker-ID", and runc's "SLICE:cri-containerd:ID" */
		kind.length--;
		const char *colon = kind.length ? memrchr(kind.start, ':', kind.length) : NULL;
		if (colon)
			kind = (struct piece){ colon + 1, (size_t)(kind.start + kind.length - colon - 1) };
	} else {
		return NOTHING;
	}
	id = (struct piece){ part.start + part.length - ID_DIGITS, ID_SHOWN };
	*ret_container = (struct container){ kind, id };
	/* What watches a container is not in it. */
	return take_suffix(&kind, "-conmon") ? SCOPE : CONTAINER;
}

static enum meaning read_part(struct piece part, struct piece before, struct piece top, struct container *ret_container)
{
	static const char *const units[] = { ".service", ".mount", ".socket", ".swap" };
	struct piece name = part;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (take_suffix(&name, units[i]))
			return UNIT;
	}
	bool scope = take_suffix(&name, ".scope");
	enum meaning meaning = read_container(name, top, ret_container);
	if (meaning != NOTHING)
		return meaning;

	struct piece machine = name;
	if (scope && take_prefix(&machine, "machine-")) {
		*ret_container = (struct container){ { "machine", strlen("machine") }, machine };
		return CONTAINER;
	}
	bool lxc = take_prefix(&name, "lxc.payload.");
	if (lxc || piece_is(before, "lxc") || piece_is(before, "lxc.payload")) {
		*ret_container = (struct container){ { "lxc", strlen("lxc") }, name };
		return CONTAINER;
	}
	return scope ? SCOPE : NOTHING;
}

/* The unit or container of one path. */
static bool name_path(struct piece path, char ret_name[static CGROUP_NAME_SIZE])
{
	struct piece part, before = { 0 }, top = { 0 }, unit = { 0 };
	struct container container = { 0 };
	char prefix[CGROUP_NAME_SIZE / 2] = "";
	bool in_container = false;

	(void)take_suffix(&path, " (deleted)");
	for (; next_part(&path, &part); before = part) {
		if (!top.length)
			top = part;
		(void)take_prefix(&part, "_");
		struct container found;
		switch (read_part(part, before, top, &found)) {
		case UNIT:
			unit = part;
			break;
		case CONTAINER:
			/* Podman's within a service is the service. */
			if (unit.length && piece_is(found.kind, "libpod-payload"))
				break;
			container = found;
			in_container = true;
			unit.length = 0;
			break;
		case SCOPE:
			unit.length = 0;
			break;
		case NOTHING:
			/* What systemd-nspawn@NAME.service runs has this for its root. */
			if (unit.length && piece_is(part, "payload")) {
				container = (struct container){ .name = unit };
				in_container = true;
				unit.length = 0;
			}
			break;
		}
	}
	if (!in_container && !unit.length)
		return false;
	if (in_container)
		snprintf(prefix, sizeof(prefix), "%.*s%s%.*s%s", (int)container.kind.length, container.kind.start,
		         container.kind.length ? "-" : "", (int)container.name.length, container.name.start,
		         unit.length ? "/" : "");
	snprintf(ret_name, CGROUP_NAME_SIZE, "%s%.*s", prefix, (int)unit.length, unit.length ? unit.start : "");
	return true;
}

/* A line's controllers and path. */
static bool next_line(const char **at, struct piece *ret_controllers, struct piece *ret_path)
{
	while (**at) {
		const char *line = *at, *end = line + strcspn(line, "\n");
		*at = *end ? end + 1 : end;
		const char *first = memchr(line, ':', (size_t)(end - line));
		const char *second = first ? memchr(first + 1, ':', (size_t)(end - first - 1)) : NULL;
		if (!second)
			continue;
		*ret_controllers = (struct piece){ first + 1, (size_t)(second - first - 1) };
		*ret_path = (struct piece){ second + 1, (size_t)(end - second - 1) };
		return true;
	}
	return false;
}

bool cgroup_name(const char *content, char ret_name[static CGROUP_NAME_SIZE])
{
	for (int turn = 0; turn < 3; turn++) {
		struct piece controllers, path;
		for (const char *at = content; next_line(&at, &controllers, &path);) {
			int due = piece_is(controllers, "name=systemd") ? 0 : controllers.length == 0 ? 1 : 2;
			if (due == turn && name_path(path, ret_name))
				return true;
		}
	}
	return false;
}

/* Whether a comma-separated list has the word. */
static bool lists(struct piece list, const char *word)
{
	while (list.length) {
		const char *comma = memchr(list.start, ',', list.length);
		struct piece item = { list.start, comma ? (size_t)(comma - list.start) : list.length };
		if (piece_is(item, word))
			return true;
		size_t passed = item.length + (comma != NULL);
		list.start += passed;
		list.length -= passed;
	}
	return false;
}

const char *cgroup_memory_path(const char *content, enum cgroup_version *ret_version, size_t *ret_length)
{
	struct piece controllers, path, found = { 0 };
	for (const char *at = content; next_line(&at, &controllers, &path);) {
		bool first = lists(controllers, "memory");
		if (!first && controllers.length)
			continue;
		*ret_version = first ? CGROUP_V1 : CGROUP_V2;
		found = path;
		if (first)
			break;
	}
	(void)take_suffix(&found, " (deleted)");
	*ret_length = found.length;
	return found.start;
}

/* Makes "a\040b" what it stands for. */
static char *decode(struct piece piece)
{
	char *text = strndup(piece.start, piece.length), *to = text;
	for (const char *at = text; at && *at; to++) {
		unsigned byte;
		if (sscanf(at, "\\%3o", &byte) == 1 && strlen(at) >= 4) {
			*to = (char)byte;
			at += 4;
		} else {
			*to = *at++;
		}
	}
	if (to)
		*to = '\0';
	return text;
}

bool cgroup_parse_mount(const char *line, struct cgroup_mount *ret_mount)
{
	/* ID, parent, device, root, mount point, options, any number of fields, "-", type, source, options */
	enum { ROOT = 3, POINT = 4, FIELDS = 6 };
	struct piece fields[FIELDS], type = { 0 }, options = { 0 };
	size_t count = 0, behind = 0;
	while (*line && *line != '\n') {
		struct piece field = { line, strcspn(line, " \n") };
		line += field.length;
		line += *line == ' ';
		if (count < FIELDS)
			fields[count++] = field;
		else if (behind == 0)
			behind = piece_is(field, "-");
		else if (behind++ == 1)
			type = field;
		else
			options = field;
	}
	bool v1 = piece_is(type, "cgroup") && lists(options, "memory");
	if (!v1 && !piece_is(type, "cgroup2"))
		return false;
	*ret_mount = (struct cgroup_mount){ v1 ? CGROUP_V1 : CGROUP_V2, decode(fields[ROOT]), decode(fields[POINT]) };
	return true;
}

void cgroup_free_mount(struct cgroup_mount *mount)
{
	free(mount->root);
	free(mount->point);
	*mount = (struct cgroup_mount){ 0 };
}

bool cgroup_find_folder(const struct cgroup_mount *mount, const char *path, size_t length, struct text *folder)
{
	size_t root = strcmp(mount->root, "/") == 0 ? 0 : strlen(mount->root);
	if (length < root || memcmp(path, mount->root, root) != 0 || (length > root && path[root] != '/'))
		return false;
	struct piece rest = { path + root, length - root }, part, all = rest;
	while (next_part(&rest, &part)) {
		/* It is above what is shown. */
		if (piece_is(part, ".."))
			return false;
	}
	while (all.length && all.start[all.length - 1] == '/')
		all.length--;
	text_append_string(folder, mount->point);
	text_append(folder, all.start, all.length);
	return true;
}
