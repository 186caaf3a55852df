"""The local cloud: the services of AWS that no emulator has right, around an emulator that has the rest.

Convention of this package: the docstring of a module that imitates a service says what it Claims to do as AWS does,
and what it Leaves out. Nothing here is deployed.
"""
