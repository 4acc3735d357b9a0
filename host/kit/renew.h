#pragma once
/*
 * From the kit that a build has made to a release: its number, what it was made of, and notes. A build
 * makes the same kit of the same source each time, so these are not its to know; they go into the kit
 * afterwards, before it is signed.
 */
#include "host/kit/dir.h"

/* Files that a release has besides; text, lines that end in a line feed. */
#define KIT_SOURCE "source"
#define KIT_NOTES "notes"
#define KIT_SOURCE_MAX 65536u
#define KIT_NOTES_MAX 4096u
#define KIT_SOURCE_HEAD "samsara source 1\n"
/* The line of KIT_SOURCE that says in a few words what it is. */
#define KIT_SOURCE_IS "is "

struct kit_release {
	uint32_t counter; /* from 1, and not below the kit's floor */
	uint64_t issued;  /* unix s */
	const char *source;
	const char *notes; /* "": none */
};

/*
 * Make the kit in memory that release: files, list and manifest, whose source id is the hash of
 * ->source. A signature that it had is dropped. After an error *dir is only good to be freed.
 */
int kit_dir_renew(struct kit_dir *dir, const struct kit_release *release, const char *place,
        struct kit_fault *ret_fault);

/*
 * One file of a kit on disk, judged by its manifest, which the caller has verified: the list by its
 * hash, the file by the list. *ret_text is the caller's and ends in a NUL. -ENOENT: the kit has none.
 */
int kit_file_of(const char *path, const struct kit_manifest *manifest, const char *name,
        size_t limit, char **ret_text, struct kit_fault *ret_fault);
