/*
 * release bom: what a release is made of, as a bill of materials (CycloneDX 1.5, JSON) for programs that look for known flaws. All
 * of it is in the kit, and the release key has signed all of it: its files, the libraries that are linked in with their versions,
 * the compiler, the source. So it is made of the kit alone, offline, at any time, and is the same each time. The release's id, which
 * the signature is over, is in it: whoever has a signed kit can tell whether a bill is its own.
 */
#include "ctl/cmd/cmd.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/base/answer.h"
#include "host/kit/dir.h"
#include "host/text/hex.h"
#include "proto/envelope/envelope_crypto.h"

#define BOM_WORD 128 /* of a recipe */

/* Of a kit that was not read, too. */
static void bom_kit_finip(struct kit_dir *dir)
{
	kit_dir_fini(dir);
}

/* Words of a kit in a document that has to be UTF-8: what is no printable ASCII is replaced. */
static json_t *bom_words(const char *text, size_t len)
{
	char clean[256];
	size_t n = 0;

	for (; n < len && n + 1 < sizeof(clean) && text[n]; n++) {
		clean[n] = text[n] >= ' ' && text[n] < 0x7f ? text[n] : '?';
	}
	return json_stringn(clean, n);
}

/* As the kit has it: CycloneDX knows the same hash. */
static json_t *bom_hash(const uint8_t hash[64])
{
	char hex[129] = "";

	hex_write(hash, 64, hex);
	return json_pack("[{s:s, s:s}]", "alg", "BLAKE2b-512", "content", hex);
}

/* What CycloneDX has no word for; the value is taken. */
static json_t *bom_property(const char *name, json_t *value)
{
	return json_pack("{s:s, s:o}", "name", name, "value", value);
}

/* The files that are what was signed; they are in the order of their names. */
static void bom_files(json_t *components, const struct kit_dir *kit)
{
	for (size_t i = 0; i < kit->list.n; i++) {
		const struct kit_list_entry *entry = &kit->list.entries[i];
		char ref[KIT_PATH_MAX + 8];

		snprintf(ref, sizeof(ref), "file:%s", entry->path);
		json_array_append_new(components,
		        json_pack("{s:s, s:s, s:s, s:o, s:[o]}", "type", "file", "bom-ref", ref,
		                "name", entry->path, "hashes", bom_hash(entry->hash), "properties",
		                bom_property("samsara:bytes",
		                        json_sprintf("%llu", (unsigned long long)entry->len))));
	}
}

/* What is no letter, digit or one of `-._~` is written as %XX (RFC 3986), where there is room. */
static void bom_encode(const char *text, char ret_text[3 * BOM_WORD])
{
	size_t n = 0;

	for (; *text; text++) {
		bool is_plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
		                (*text >= '0' && *text <= '9') || strchr("-._~", *text);

		n += (size_t)snprintf(ret_text + n, 4, is_plain ? "%c" : "%%%02X",
		        is_plain ? *text : (unsigned char)*text);
	}
	ret_text[n] = '\0';
}

/*
 * A line of the recipe, `library ARCHIVE PACKAGE VERSION FROM`: the package is Debian's. FROM is the SHA-256 of the description of
 * its source, or that its archive was taken as it is.
 */
static void bom_library(json_t *components, json_t *depends, const char *line)
{
	char archive[BOM_WORD], package[BOM_WORD], version[BOM_WORD], from[BOM_WORD];
	char ref[BOM_WORD + 16], name[3 * BOM_WORD], of[3 * BOM_WORD];

	if (sscanf(line, "library %127s %127s %127s %127s", archive, package, version, from) != 4) {
		return;
	}
	snprintf(ref, sizeof(ref), "library:%s", archive);
	bom_encode(package, name);
	bom_encode(version, of);
	json_array_append_new(components,
	        json_pack("{s:s, s:o, s:o, s:o, s:o, s:[o, o]}", "type", "library", "bom-ref",
	                bom_words(ref, sizeof(ref)), "name", bom_words(package, sizeof(package)),
	                "version", bom_words(version, sizeof(version)), "purl",
	                json_sprintf("pkg:deb/debian/%s@%s?arch=source", name, of), "properties",
	                bom_property("samsara:archive", bom_words(archive, sizeof(archive))),
	                bom_property("samsara:made_from", bom_words(from, sizeof(from)))));
	json_array_append_new(depends, bom_words(ref, sizeof(ref)));
}

/* What made the program, and is not in it. */
static void bom_toolchain(json_t *components, const char *line)
{
	char name[BOM_WORD], version[BOM_WORD];

	if (sscanf(line, "toolchain %127s %127s", name, version) == 2) {
		json_array_append_new(components,
		        json_pack("{s:s, s:s, s:o, s:o, s:s}", "type", "application", "bom-ref",
		                "toolchain", "name", bom_words(name, sizeof(name)), "version",
		                bom_words(version, sizeof(version)), "scope", "excluded"));
	}
}

/* Line by line; kit_dir_read() has judged the first one. */
static void bom_recipe(json_t *components, json_t *depends, const struct kit_dir *kit)
{
	size_t len;
	const char *line = (const char *)kit_dir_file(kit, "recipe", &len);

	while (line && *line) {
		char one[4 * BOM_WORD + 32];

		snprintf(one, sizeof(one), "%.*s", (int)strcspn(line, "\n"), line);
		bom_library(components, depends, one);
		bom_toolchain(components, one);
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
}

/* The release itself: number, id, source. A kit that was never numbered says nothing of its source but a hash. */
static json_t *bom_release(const struct kit_dir *kit, const uint8_t release_id[64])
{
	size_t len;
	const char *source = (const char *)kit_dir_file(kit, "source", &len);
	const char *is = source ? strstr(source, "\nis ") : NULL;
	char hex[129] = "";
	json_t *release;

	hex_write(kit->manifest.source_id, 64, hex);
	release = json_pack("{s:s, s:s, s:o, s:o, s:o, s:[o]}", "type", "application", "bom-ref",
	        "release", "name", bom_words(kit->manifest.service, sizeof(kit->manifest.service)),
	        "version", json_sprintf("%u", kit->manifest.counter), "hashes",
	        bom_hash(release_id), "properties",
	        bom_property("samsara:source_id", json_string(hex)));
	if (is) {
		json_array_append_new(json_object_get(release, "properties"),
		        bom_property("samsara:source", bom_words(is + 4, strcspn(is + 4, "\n"))));
	}
	return release;
}

/* Of the release, so that two bills of one release are one document: a UUID of the form for values of one's own (RFC 9562). */
static void bom_serial(const uint8_t release_id[64], char ret_serial[48])
{
	uint8_t id[16];
	char hex[33] = "";

	memcpy(id, release_id, sizeof(id));
	id[6] = (id[6] & 0x0f) | 0x80;
	id[8] = (id[8] & 0x3f) | 0x80;
	hex_write(id, sizeof(id), hex);
	snprintf(ret_serial, 48, "urn:uuid:%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
	        hex + 16, hex + 20);
}

/* The time is that of the release, so that the same kit gives the same bytes. */
static json_t *bom_make(const struct kit_dir *kit)
{
	json_t *components = json_array(), *depends = json_array();
	time_t issued = (time_t)kit->manifest.issued;
	char serial[48], when[32] = "1970-01-01T00:00:00Z";
	uint8_t release_id[64];
	struct tm tm;

	/* What the release key signs, so that nobody has two names for one release. */
	kit_manifest_release_id(&kit->manifest, release_id);
	bom_serial(release_id, serial);
	if (gmtime_r(&issued, &tm) && tm.tm_year < 8100) {
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	}
	bom_recipe(components, depends, kit);
	bom_files(components, kit);
	return json_pack("{s:s, s:s, s:s, s:i, s:{s:s, s:{s:[{s:s, s:s}]}, s:o}, s:o, "
	                 "s:[{s:s, s:o}]}",
	        "bomFormat", "CycloneDX", "specVersion", "1.5", "serialNumber", serial, "version",
	        1, "metadata", "timestamp", when, "tools", "components", "type", "application",
	        "name", "luctl", "component", bom_release(kit, release_id), "components",
	        components, "dependencies", "ref", "release", "dependsOn", depends);
}

/* The kit is read whole and compared with its list first; whether somebody has signed it is not asked, nor is lud. */
int cmd_release_bom(const struct options *options)
{
	_cleanup_(bom_kit_finip) struct kit_dir kit = {0};
	const char *path = options->args[0];
	struct kit_fault fault;
	json_t *bom;

	if (access(path, F_OK) < 0) {
		return ctl_fail(CTL_NOT_FOUND, path, "check the path", "%s", strerror(errno));
	}
	if (kit_dir_read(&kit, path, NULL, &fault) < 0) {
		return ctl_fail(CTL_HELD, fault.place, NULL, "%s", fault.text);
	}
	bom = bom_make(&kit);
	if (!bom) {
		abort();
	}
	if (options->json) {
		answer_add(json_pack("{s:o}", "bom", bom));
		return CTL_OK;
	}
	json_dumpf(bom, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(bom);
	return CTL_OK;
}
