"""The tools that agents offer: names and arguments in many spellings.

Each job has spellings to train on and others that only the held-out evaluation uses.
"""

PATH = ["file_path", "path", "filename", "file", "filepath", "target_file", "file_name", "absolute_path"]
FOLDER = ["path", "directory", "dir", "folder", "dir_path", "target_directory"]
PATTERN = ["pattern", "query", "regex", "search", "text"]
COMMAND = ["command", "cmd", "script", "command_line"]
CONTENT = ["content", "contents", "text", "file_text", "data"]
OLD_NEW = [("old_string", "new_string"), ("old_str", "new_str"), ("old", "new"), ("search", "replace"),
           ("old_text", "new_text"), ("find", "replace_with"), ("from", "to")]

# job -> (names to train on, held-out names)
NAMES = {
    "read": (["Read", "read_file", "ReadFile", "readFile", "view", "View", "cat", "open_file", "get_file",
              "file_read", "view_file", "read", "show_file", "load_file", "fs_read"],
             ["readTextFile", "fetch_file", "FileView", "read_text", "OpenFile"]),
    "list": (["LS", "ls", "list_dir", "list_directory", "ListDir", "list_files", "ListFiles", "listDir", "dir",
              "folder_list", "list_folder", "show_directory"],
             ["listDirectory", "directory_list", "ls_dir", "ListFolder"]),
    "search": (["Grep", "grep", "search", "grep_search", "Search", "search_files", "search_code", "SearchText",
                "rg", "code_search", "searchFiles", "grep_files"],
               ["search_text", "GrepSearch", "codeSearch", "text_search"]),
    "find": (["Glob", "glob", "find_files", "FindFiles", "file_search", "find", "glob_files", "find_by_name",
              "findFile"],
             ["find_file", "GlobSearch", "files_find", "FileFind"]),
    "run": (["Bash", "bash", "shell", "run_command", "execute_command", "exec", "terminal", "run_terminal_cmd",
             "Shell", "RunCommand", "run_shell_command", "execute", "runCommand", "bash_command", "run"],
            ["shell_exec", "ExecuteShell", "terminal_run", "run_bash", "Terminal"]),
    "write": (["Write", "write_file", "create_file", "WriteFile", "save_file", "writeFile", "file_write", "create",
               "write", "new_file", "CreateFile", "fs_write"],
              ["saveFile", "make_file", "write_text", "FileCreate"]),
    "edit": (["Edit", "edit_file", "str_replace", "replace", "replace_in_file", "EditFile", "edit", "update_file",
              "search_replace", "file_edit", "modify_file", "Replace"],
             ["replaceText", "edit_text", "FileEdit", "patch_text"]),
}

# What names are composed of, so that names must be read and cannot be learned by heart.
VERBS = {
    "read": ["read", "view", "open", "cat", "show", "get", "load", "display", "print"],
    "list": ["list", "ls", "dir", "show", "browse"],
    "search": ["grep", "search", "rg", "scan", "lookup"],
    "find": ["glob", "find", "locate", "match"],
    "run": ["run", "exec", "execute", "bash", "shell", "sh", "terminal", "launch"],
    "write": ["write", "create", "save", "make", "store", "put", "new"],
    "edit": ["edit", "replace", "modify", "update", "change", "patch", "substitute"],
}
NOUNS = {
    "read": ["file", "text", "document", "contents", "path", "source"],
    "list": ["dir", "directory", "folder", "entries", "files"],
    "search": ["text", "code", "content", "lines", "pattern", "files"],
    "find": ["files", "paths", "names", "by_name"],
    "run": ["command", "cmd", "shell", "bash", "script", "terminal", "process"],
    "write": ["file", "text", "document", "to_file"],
    "edit": ["file", "text", "string", "in_file", "code"],
}
AROUND = ["fs", "repo", "my", "tool", "do", "workspace", "project", "agent", "local", "mcp", "v2"]

OTHERS = ["Agent(description,prompt)", "Task(description,prompt)", "WebFetch(url,prompt)", "WebSearch(query)",
          "web_search(query)", "TodoWrite(todos)", "Skill(skill)", "NotebookEdit(notebook_path,new_source)",
          "ListAgents()", "ReportFindings(findings)", "ScheduleWakeup()", "ToolSearch(query,max_results)",
          "Workflow()", "DeferredToolPlaceholder()", "ExitPlanMode(plan)", "KillShell(shell_id)", "CronCreate(cron,prompt)",
          "CronDelete(id)", "CronList()", "EnterWorktree()", "ExitWorktree(action)", "Monitor(description)",
          "SendMessage(to,message)", "TaskStop()", "AskUserQuestion(questions)", "get_weather(city)", "send_email(to,subject,body)",
          "calculator(expression)", "translate(text,language)", "current_time()", "think(thought)", "create_issue(title,body)",
          "browser_navigate(url)", "browser_click(ref)", "memory_store(key,value)", "sql_query(sql)", "generate_image(prompt)",
          "get_stock_price(symbol)", "BashOutput(bash_id)", "update_plan(plan)", "attempt_completion(result)", "ToolSearch(query,max_results)", "SearchTools(query)", "find_tool(name)",
          "list_models()", "search_docs(question)", "web_find(query)", "ListSkills()", "FindSkill(query)", "list_agents()",
          "memory_search(query)", "ListMcpResources()", "ReadMcpResource(server,uri)", "TaskList()", "TaskGet(id)", "TaskOutput(id)"]
OTHER_VERBS = ["get", "set", "start", "stop", "check", "fetch", "post", "sync", "close", "assign"]


class Toolbox:
    """The tools of one dialogue: which jobs can be done, and how each is called."""

    def __init__(self, words, jobs, others):
        self.by_job = {}
        lines = []
        for job in jobs:
            arguments = self.arguments(words, job)
            name = self.name(words, job)
            if any(line.startswith(name + "(") for line in lines):
                continue
            self.by_job[job] = (name, arguments)
            lines.append(f"{name}({','.join(arguments)})")
        for _ in range(others):
            line = words.pick(OTHERS) if words.chance(0.7) else self.invented(words)
            if all(line.split("(")[0] != known.split("(")[0] for known in lines):
                lines.append(line)
        words.rng.shuffle(lines)
        self.lines = lines

    @staticmethod
    def name(words, job):
        """A spelling from the list, or one composed; those of the other side of the cut never."""
        known, unseen = NAMES[job]
        if words.held_out:
            return words.pick(unseen)
        if words.chance(0.3):
            return words.pick(known)
        while True:
            parts = [words.pick(VERBS[job])]
            if words.chance(0.8):
                parts.append(words.pick(NOUNS[job]))
            if words.chance(0.2):
                parts.reverse()
            if words.chance(0.25):
                parts.insert(0, words.pick(AROUND) if words.chance(0.5) else words.word())
            if words.chance(0.15):
                parts.append(words.pick(AROUND) if words.chance(0.5) else words.word())
            parts = "_".join(parts).split("_")
            style = words.rng.randrange(4)
            name = "_".join(parts) if style < 2 else "".join(part.capitalize() for part in parts)
            name = name[0].lower() + name[1:] if style == 2 else name
            if name not in unseen:
                return name + (words.number() if words.chance(0.05) else "")

    @staticmethod
    def arguments(words, job):
        """The names of the required arguments; sometimes such as nobody has seen."""
        names = Toolbox.usual_arguments(words, job)
        if not words.held_out:
            names = [words.pick([words.word(), f"{name}_{words.word()}", f"{words.word()}_{name}"])
                     if words.chance(0.12) else name for name in names]
        return names if len(set(names)) == len(names) else Toolbox.usual_arguments(words, job)

    @staticmethod
    def usual_arguments(words, job):
        if job in ("read",):
            return [words.pick(PATH)]
        if job == "list":
            return [words.pick(FOLDER)]
        if job in ("search", "find"):
            return [words.pick(PATTERN[:3] if job == "find" else PATTERN)]
        if job == "run":
            return [words.pick(COMMAND)] if words.chance(0.4) else ["command"]
        if job == "write":
            return [words.pick(PATH), words.pick(CONTENT)]
        return [words.pick(PATH), *words.pick(OLD_NEW)]

    @staticmethod
    def invented(words):
        arguments = ",".join(dict.fromkeys(words.word() for _ in range(words.rng.randrange(3))))
        return f"{words.pick(OTHER_VERBS)}_{words.word()}({arguments})"
