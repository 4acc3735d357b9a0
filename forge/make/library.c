/*
 * Which archive stands behind a name of a service description: the first directory that holds it
 * wins, so that a build can put libraries of its own before those of the system.
 */
#include "forge/make/library.h"

#include <unistd.h>

#include "forge/base/report.h"
#include "forge/make/kit_make.h"
#include "forge/make/service.h"

/* The path, owned; NULL when there is none. Without directories in the request: Debian's. */
static char *library_find(const struct kit_request *q, const char *name)
{
	static const char *const debian[] = {
	        "/usr/lib/x86_64-linux-musl", "/usr/lib/x86_64-linux-gnu"};
	const char *const *dirs = q->n_library_dirs ? q->library_dirs : debian;
	const size_t n = q->n_library_dirs ? q->n_library_dirs : 2;
	size_t i;

	for (i = 0; i < n; i++) {
		char *path = mem_printf("%s/%s", dirs[i], name);

		if (access(path, R_OK) == 0) {
			return path;
		}
		free(path);
	}
	return NULL;
}

/*
 * What a library was made from is one line of text, written by who made it. Without that file it is
 * "unknown": nothing else depends on it.
 */
static int library_origin(const char *name, const char *path, struct buf *origins)
{
	MEM_FREE char *source = mem_printf("%s.source", path);
	BUF_CLEANUP struct buf line = {0};
	size_t n = 0;
	int r;

	if (access(source, F_OK) < 0) {
		buf_printf(origins, "library %s unknown\n", name);
		return 0;
	}
	r = buf_read_file(&line, source);
	if (r < 0) {
		return r;
	}
	while (n < line.len && line.bytes[n] >= ' ' && line.bytes[n] <= '~') {
		n++;
	}
	if (n == 0 || n + 1 != line.len || line.bytes[n] != '\n') {
		return report_refuse(source, "is not one line of text; build the library again");
	}
	buf_printf(origins, "library %s ", name);
	buf_add(origins, line.bytes, line.len);
	return 0;
}

/* The line to blame for a missing library is the description's. */
int library_gather(const struct kit_request *request, const struct service *service,
        struct object_list *objects, struct buf *origins)
{
	char *paths[SERVICE_LIBRARIES_MAX] = {0};
	size_t i, n = service->n_libraries;
	int r = 0;

	for (i = 0; i < n && r == 0; i++) {
		paths[i] = library_find(request, service->libraries[i]);
		if (!paths[i]) {
			r = report_refuse(request->service_path,
			        "library %s is in none of the --library-dir directories; run "
			        "tools/deps",
			        service->libraries[i]);
		} else {
			r = library_origin(service->libraries[i], paths[i], origins);
		}
	}
	if (r == 0) {
		r = archive_resolve(objects, (const char *const *)paths, n);
	}
	for (i = 0; i < n; i++) {
		free(paths[i]);
	}
	return r;
}
