"""Borders to the machine and to other programs: files, processes, HTTP, the terminal, text from
outside.
"""
