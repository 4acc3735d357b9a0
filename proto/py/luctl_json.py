"""What luctl prints with --json, held against the JSON Schema that `luctl schema` prints.

The schema is open, so that members may be added; here it is closed, so that none is added without standing in it.
"""
import json
import subprocess

import jsonschema

ENVELOPE = ('schema', 'command', 'error', 'warnings', 'others')


def refers(name):
    return {'$ref': '#/$defs/' + name}


class Schema:
    """The schema of a luctl."""

    def __init__(self, luctl):
        document = subprocess.run([luctl, 'schema'], check=True, capture_output=True, text=True).stdout
        self.open = json.loads(document)
        jsonschema.Draft202012Validator.check_schema(self.open)
        self.whole = jsonschema.Draft202012Validator(self.open)
        self.definitions = json.loads(document)['$defs']
        for form in self.definitions.values():
            form['additionalProperties'] = False
        self.answers = {rule['if']['properties']['command']['const']: [
            form['$ref'].rpartition('/')[2] for form in rule['then']['anyOf'] if '$ref' in form]
                        for rule in self.open['allOf']}
        for name in (name for forms in self.answers.values() for name in forms):
            assert not set(ENVELOPE) & set(self.definitions[name]['properties']), name

    def closed(self, what, **schema):
        jsonschema.Draft202012Validator({**schema, '$defs': self.definitions}).validate(what)

    def check(self, answer, code):
        """One object, and the exit code of the command."""
        self.whole.validate(answer)
        forms = [refers(name) for name in self.answers[answer['command']]]
        body = {name: member for name, member in answer.items() if name not in ENVELOPE}
        assert ('error' in answer) == (code != 0), answer
        assert code == 0 or answer['error']['exit'] == code, answer
        faults = [answer['error']] if code else []
        for fault in faults + answer.get('warnings', []):
            self.closed(fault, **refers('fault'))
        parts = [body] if body or not code else []
        for part in parts + answer.get('others', []):
            self.closed(part, anyOf=forms)
