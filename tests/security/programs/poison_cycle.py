# Returns a list that contains itself. Expected: an invalid result.
def main(backend, user_messenger, **kwargs):
    value = []
    value.append(value)
    return value
