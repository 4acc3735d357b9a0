/*
 * What lies in a keyring beside the keys: the signed root and the signer's rules. Both are read
 * whole and opened, which makes them safe to look at; whether the root is signed by anyone who
 * matters is asked by whoever uses it (list.c, envelope_verify_root()).
 */
#include <errno.h>
#include <string.h>

#include "keyring/priv.h"
#include "keyring/rules/rules.h"

int keyring_root_load(int dir_fd, uint8_t *ret_bytes, size_t cap, struct envelope_part *ret_part)
{
	_cleanup_(keyring_file_wipe) struct keyring_file file = {.len = 0};
	int r = keyring_file_read(dir_fd, KEYRING_FILE_ROOT_SIGNED, 0, &file);

	if (r != 0) {
		return r;
	}
	if (file.len > cap) {
		return -ENOBUFS;
	}
	memcpy(ret_bytes, file.bytes, file.len);
	if (envelope_part_open(ret_bytes, file.len, ret_part) != ENVELOPE_OK ||
	        ret_part->kind != ENVELOPE_ROOT || ret_part->size != file.len) {
		return KEYRING_E_FORMAT;
	}
	return 0;
}

int keyring_root_read(
        const char *dir, uint8_t *ret_bytes, size_t cap, struct envelope_part *ret_part)
{
	_cleanup_(fd_closep) int fd = -1;
	int r = keyring_dir_open(dir, &fd);

	return r != 0 ? r : keyring_root_load(fd, ret_bytes, cap, ret_part);
}

int keyring_rules_load(
        int dir_fd, struct rules *ret_rules, unsigned int *ret_line, const char **ret_why)
{
	_cleanup_(keyring_file_wipe) struct keyring_file file = {.len = 0};
	int r = keyring_file_read(dir_fd, KEYRING_FILE_RULES, 1, &file);

	*ret_line =
	        r == 0 ? rules_parse((const char *)file.bytes, file.len, ret_rules, ret_why) : 0;
	return r == 0 && *ret_line != 0 ? KEYRING_E_FORMAT : r;
}

int keyring_rules_read(
        const char *dir, struct rules *ret_rules, unsigned int *ret_line, const char **ret_why)
{
	_cleanup_(fd_closep) int fd = -1;
	int r = keyring_dir_open(dir, &fd);

	*ret_line = 0;
	return r != 0 ? r : keyring_rules_load(fd, ret_rules, ret_line, ret_why);
}
